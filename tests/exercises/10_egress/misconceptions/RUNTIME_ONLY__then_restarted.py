"""I set the switch, and kube-proxy shall see it.

finds: 10.peak.repaired RUNTIME_ONLY
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sysctl -w net.netfilter.nf_conntrack_max=131072
node1$ systemctl restart kube-proxy
""",
}
