"""A masquerade more does no harm.

finds: 13.ticket4.clean MASQ_HIDES
"""

# answer: 13.ticket4
ticket4 = {
    "cause": "hairpin-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
node2$ bridge link set dev veth-backend hairpin on
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
