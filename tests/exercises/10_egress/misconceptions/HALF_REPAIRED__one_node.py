"""The rule stands on one node only.

finds: 10.partner.gone HALF_REPAIRED
"""

# answer: 10.partner
partner = {
    "cause": "wrong-snat",
    "script": """
node2$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
""",
}
