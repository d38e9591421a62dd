"""A rule of mine stays in a chain that kube-proxy writes.

finds: 07.perfect.lasting RUNTIME_ONLY
"""

# answer: 07.perfect
perfect = {
    "cause": "forward-drop",
    "script": """
node1$ iptables -A KUBE-FORWARD -s 10.1.0.0/16 -j ACCEPT
node1$ iptables -A KUBE-FORWARD -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -A KUBE-FORWARD -s 10.1.0.0/16 -j ACCEPT
node3$ iptables -A KUBE-FORWARD -d 10.1.0.0/16 -j ACCEPT
""",
}
