"""Something does not forward.

finds: 10.peak.cause NAT_EVERY
"""

# answer: 10.peak
peak = {
    "cause": "forwarding-off",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
