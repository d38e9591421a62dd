"""The file is right again.

finds: 09.agent.gone FILE_UNREAD
finds: 09.agent.clean -
"""

# answer: 09.agent
agent = {
    "cause": "localhost-node-port",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node3$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
""",
}
