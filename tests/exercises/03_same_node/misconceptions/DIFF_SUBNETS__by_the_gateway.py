"""Pods of one node are in different subnets.

finds: 03.receiver.decided DIFF_SUBNETS
"""

# answer: 03.receiver
receiver = {
    "near": {
        "src": "web2:eth0",
        "dst": "web1:eth0",
        "ttl": 64,
        "route": "default via 10.1.15.1 dev eth0",
        "entry": "node1:docker0 dev docker0",
    },
    "far": {"dst_at_web2": "node1:docker0", "src_at_backend": "node2:docker0"},
}
