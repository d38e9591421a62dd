"""Where a node port hangs, kube-proxy does not listen.

finds: 11.shop.cause NP_LISTEN
"""

# answer: 11.shop
shop = {
    "cause": "kube-proxy-stopped",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
