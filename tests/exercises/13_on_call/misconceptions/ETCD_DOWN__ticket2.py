"""When etcd is out of reach, it is down for all.

finds: 13.ticket2.cause ETCD_DOWN
"""

# answer: 13.ticket2
ticket2 = {
    "cause": "etcd-down",
    "script": """
node2$ systemctl start etcd-tunnel
node2$ systemctl restart flanneld
""",
}
