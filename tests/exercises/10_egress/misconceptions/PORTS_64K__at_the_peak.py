"""Connections fail because the ports of the node's address run out.

finds: 10.peak.cause PORTS_64K
"""

# answer: 10.peak
peak = {
    "cause": "no-masquerade",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
