"""A masquerade more does no harm.

finds: 03.neighbours.clean MASQ_HIDES
"""

# answer: 03.neighbours
neighbours = {
    "cause": "pod-mask",
    "script": """
web1$ ip addr del 10.1.15.3/16 dev eth0
web1$ ip addr add 10.1.15.3/24 dev eth0
web1$ ip route add default via 10.1.15.1
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
