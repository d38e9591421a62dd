"""127.0.0.1 is the pods' loopback.

finds: 09.agent.cause NP_LOCALHOST
"""

# answer: 09.agent
agent = {
    "cause": "loopback-bound",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node3$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node3$ systemctl restart kube-proxy
""",
}
