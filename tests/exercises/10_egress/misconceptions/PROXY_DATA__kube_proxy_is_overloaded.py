"""kube-proxy cannot carry so many connections.

finds: 10.peak.cause PROXY_DATA
"""

# answer: 10.peak
peak = {
    "cause": "kube-proxy-stopped",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
