"""Without kube-proxy nobody sets the switch back.

finds: 10.peak.repaired DAEMON_OFF
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ systemctl stop kube-proxy
node1$ sysctl -w net.netfilter.nf_conntrack_max=131072
""",
}
