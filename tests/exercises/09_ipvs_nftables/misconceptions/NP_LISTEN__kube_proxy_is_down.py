"""A refused port has no listener: kube-proxy is down.

finds: 09.agent.cause NP_LISTEN
"""

# answer: 09.agent
agent = {
    "cause": "kube-proxy-stopped",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node3$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node3$ systemctl restart kube-proxy
""",
}
