"""web2 sends to flannel0.

finds: 03.receiver.far SKIPS_HOP
"""

# answer: 03.receiver
receiver = {
    "near": {
        "src": "web2:eth0",
        "dst": "web1:eth0",
        "ttl": 64,
        "route": "10.1.15.0/24 dev eth0",
        "entry": "web1:eth0 dev veth-web1",
    },
    "far": {"dst_at_web2": "node1:flannel0", "src_at_backend": "node2:docker0"},
}
