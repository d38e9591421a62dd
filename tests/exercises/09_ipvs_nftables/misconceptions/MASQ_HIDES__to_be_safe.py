"""A masquerade more does no harm.

finds: 09.agent.clean MASQ_HIDES
"""

# answer: 09.agent
agent = {
    "cause": "localhost-node-port",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node3$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node3$ systemctl restart kube-proxy
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
