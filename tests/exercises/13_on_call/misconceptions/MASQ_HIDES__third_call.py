"""A masquerade more does no harm.

finds: 13.third_call.clean MASQ_HIDES
"""

# answer: 13.third_call
third_call = {
    "cause": "hairpin-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
node2$ bridge link set dev veth-backend hairpin on
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
