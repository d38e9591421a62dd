"""The node in the ticket's first line is enough.

finds: 09.agent.gone HALF_REPAIRED
"""

# answer: 09.agent
agent = {
    "cause": "localhost-node-port",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
