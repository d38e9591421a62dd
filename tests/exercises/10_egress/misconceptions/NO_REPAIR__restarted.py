"""A restart of kube-proxy always helps.

finds: 10.peak.repaired NO_REPAIR
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ systemctl restart kube-proxy
""",
}
