"""A masquerade more does no harm.

finds: 13.rack.clean MASQ_HIDES
"""

# answer: 13.rack
rack = {
    "cause": "stale-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
node1$ ip route del 10.1.30.0/25 via 192.168.66.14
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
