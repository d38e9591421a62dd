"""The file is right now.

finds: 10.peak.repaired FILE_UNREAD
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/; s/min: 8/min: 131072/' /var/lib/kube-proxy/config.conf
""",
}
