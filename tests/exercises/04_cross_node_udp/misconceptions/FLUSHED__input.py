"""An empty chain cannot do harm.

finds: 04.blocked.clean FLUSHED
"""

# answer: 04.blocked
blocked = {
    "cause": "overlay-port-blocked",
    "script": """
node1$ iptables -F INPUT
node2$ iptables -F INPUT
""",
}
