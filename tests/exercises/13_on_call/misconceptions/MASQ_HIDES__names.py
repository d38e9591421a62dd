"""A masquerade more does no harm.

finds: 13.names.clean MASQ_HIDES
"""

# answer: 13.names
names = {
    "cause": "kube-proxy-stopped",
    "script": """
node3$ systemctl start kube-proxy
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
