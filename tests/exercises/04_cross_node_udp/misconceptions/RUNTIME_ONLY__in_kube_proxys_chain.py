"""A rule of mine stays in a chain that kube-proxy writes.

finds: 04.blocked.lasting RUNTIME_ONLY
"""

# answer: 04.blocked
blocked = {
    "cause": "overlay-port-blocked",
    "script": """
node1$ iptables -I KUBE-NODEPORTS -p udp --dport 8285 -j ACCEPT
node2$ iptables -I KUBE-NODEPORTS -p udp --dport 8285 -j ACCEPT
""",
}
