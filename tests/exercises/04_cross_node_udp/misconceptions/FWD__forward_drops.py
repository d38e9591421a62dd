"""Whatever a node drops, its FORWARD chain drops.

finds: 04.blocked.cause FWD
"""

# answer: 04.blocked
blocked = {
    "cause": "forward-drop",
    "script": """
node1$ iptables -D INPUT -p udp --dport 8285 -j DROP
node2$ iptables -D INPUT -p udp --dport 8285 -j DROP
""",
}
