"""An empty chain cannot do harm: the daemons will fill it again.

finds: 11.shop.clean FLUSHED
"""

# answer: 11.shop
shop = {
    "cause": "asymmetric-reply",
    "script": """
node1$ iptables -t nat -F POSTROUTING
node3$ iptables -t nat -F POSTROUTING
""",
}
