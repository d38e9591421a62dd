"""Fewer rules, fewer connections to follow.

finds: 10.peak.repaired FLUSHED
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node1$ iptables -F FORWARD
""",
}
