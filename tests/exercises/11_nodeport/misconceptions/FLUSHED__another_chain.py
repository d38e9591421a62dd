"""While I am there I empty another chain: the daemons will fill it again.

finds: 11.shop.clean FLUSHED
"""

# answer: 11.shop
shop = {
    "cause": "asymmetric-reply",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node1$ iptables -F FORWARD
""",
}
