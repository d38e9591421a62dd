"""docker0 writes its own MAC address into the frame.

finds: 03.receiver.macs HOP_MAC
"""

# answer: 03.receiver
receiver = {
    "near": {
        "src": "node1:docker0",
        "dst": "web1:eth0",
        "ttl": 64,
        "route": "10.1.15.0/24 dev eth0",
        "entry": "web1:eth0 dev veth-web1",
    },
    "far": {"dst_at_web2": "node1:docker0", "src_at_backend": "node2:docker0"},
}
