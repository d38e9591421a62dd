"""The pod that was out of reach may stay shielded for a while.

finds: 13.ticket2.gone HALF_REPAIRED
"""

# answer: 13.ticket2
ticket2 = {
    "cause": "cut-from-etcd",
    "script": """
node2$ systemctl start etcd-tunnel
node2$ systemctl restart flanneld
node1$ iptables -I FORWARD -d 10.1.20.3 -j DROP
""",
}
