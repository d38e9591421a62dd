"""A masquerade more does no harm.

finds: 05.hole.clean MASQ_HIDES
"""

# answer: 05.hole
hole = {
    "cause": "mtu-black-hole",
    "script": """
switch$ ip link set p-node2 mtu 1500
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
