"""If a masquerade is missing, everything needs one.

finds: 11.shop.clean MASQ_HIDES
"""

# answer: 11.shop
shop = {
    "cause": "asymmetric-reply",
    "script": """
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
node3$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
