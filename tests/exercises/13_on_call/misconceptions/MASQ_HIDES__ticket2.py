"""A masquerade more does no harm.

finds: 13.ticket2.clean MASQ_HIDES
"""

# answer: 13.ticket2
ticket2 = {
    "cause": "cut-from-etcd",
    "script": """
node2$ systemctl start etcd-tunnel
node2$ systemctl restart flanneld
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
