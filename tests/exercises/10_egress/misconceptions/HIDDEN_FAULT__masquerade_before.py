"""A masquerade before the old rule decides first, so the old one may stay.

finds: 10.partner.clean HIDDEN_FAULT
"""

# answer: 10.partner
partner = {
    "cause": "wrong-snat",
    "script": """
node2$ iptables -t nat -I POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j MASQUERADE
node3$ iptables -t nat -I POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j MASQUERADE
""",
}
