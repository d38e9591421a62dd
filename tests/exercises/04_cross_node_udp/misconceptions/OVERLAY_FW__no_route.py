"""Nodes that ping each other have a working overlay: a route must be missing.

finds: 04.blocked.cause OVERLAY_FW
"""

# answer: 04.blocked
blocked = {
    "cause": "no-route",
    "script": """
node1$ iptables -D INPUT -p udp --dport 8285 -j DROP
node2$ iptables -D INPUT -p udp --dport 8285 -j DROP
""",
}
