"""A masquerade more does no harm.

finds: 13.ticket3.clean MASQ_HIDES
"""

# answer: 13.ticket3
ticket3 = {
    "cause": "kube-proxy-stopped",
    "script": """
node3$ systemctl start kube-proxy
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
