"""A reply finds back by itself, so the request was dropped.

finds: 11.shop.cause SNAT_REPLY
"""

# answer: 11.shop
shop = {
    "cause": "forward-drop",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
