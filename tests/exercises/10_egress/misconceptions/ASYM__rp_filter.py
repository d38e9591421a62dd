"""No answer means that a node drops the request.

finds: 10.partner.cause ASYM
"""

# answer: 10.partner
partner = {
    "cause": "rp-filter",
    "script": """
node2$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
node3$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
""",
}
