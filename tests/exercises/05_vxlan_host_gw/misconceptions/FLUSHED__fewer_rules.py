"""Fewer rules let more packets through.

finds: 05.hole.clean FLUSHED
"""

# answer: 05.hole
hole = {
    "cause": "mtu-black-hole",
    "script": """
switch$ ip link set p-node2 mtu 1500
node2$ iptables -F FORWARD
""",
}
