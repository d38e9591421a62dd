"""Only pods need names.

finds: 13.ticket3.gone HALF_REPAIRED
"""

# answer: 13.ticket3
ticket3 = {
    "cause": "kube-proxy-stopped",
    "script": """
node3$ systemctl start kube-proxy
node3$ iptables -I OUTPUT -p udp --dport 53 -j DROP
""",
}
