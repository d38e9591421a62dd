"""An answer that does not come has been lost in the overlay.

finds: 11.shop.cause ASYM
"""

# answer: 11.shop
shop = {
    "cause": "overlay-port-blocked",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
