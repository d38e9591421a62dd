"""A masquerade more does no harm.

finds: 05.deaf.clean MASQ_HIDES
"""

# answer: 05.deaf
deaf = {
    "cause": "vtep-mac",
    "script": """
node3$ systemctl restart flanneld
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
