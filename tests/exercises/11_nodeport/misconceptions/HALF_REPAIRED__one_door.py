"""What works at one node works at all.

finds: 11.shop.gone HALF_REPAIRED
"""

# answer: 11.shop
shop = {
    "cause": "asymmetric-reply",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
