"""While I am there I empty another chain: the daemons will fill it again.

finds: 10.partner.clean FLUSHED
"""

# answer: 10.partner
partner = {
    "cause": "wrong-snat",
    "script": """
node2$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
node3$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
node2$ iptables -F FORWARD
""",
}
