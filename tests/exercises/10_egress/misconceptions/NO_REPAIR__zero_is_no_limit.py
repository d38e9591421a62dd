"""Zero for each processor means: no limit.

finds: 10.peak.repaired NO_REPAIR
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 0/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
