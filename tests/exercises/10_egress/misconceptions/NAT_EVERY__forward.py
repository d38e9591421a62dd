"""A rule in FORWARD drops them.

finds: 10.peak.cause NAT_EVERY
"""

# answer: 10.peak
peak = {
    "cause": "forward-drop",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
