"""The entry for web2, who sends.

finds: 03.receiver.decided LOOKUP_SRC
"""

# answer: 03.receiver
receiver = {
    "near": {
        "src": "web2:eth0",
        "dst": "web1:eth0",
        "ttl": 64,
        "route": "10.1.15.0/24 dev eth0",
        "entry": "web2:eth0 dev veth-web2",
    },
    "far": {"dst_at_web2": "node1:docker0", "src_at_backend": "node2:docker0"},
}
