"""A masquerade more does no harm.

finds: 13.ticket1.clean MASQ_HIDES
"""

# answer: 13.ticket1
ticket1 = {
    "cause": "stale-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
node1$ ip route del 10.1.30.0/25 via 192.168.66.14
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
