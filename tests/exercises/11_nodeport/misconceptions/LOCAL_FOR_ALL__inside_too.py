"""Policy Local keeps pods from a node port.

finds: 11.shop.cause LOCAL_FOR_ALL
"""

# answer: 11.shop
shop = {
    "cause": "policy-local",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
