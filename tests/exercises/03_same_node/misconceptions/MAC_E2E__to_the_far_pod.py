"""The destination MAC address is the far pod's.

finds: 03.receiver.far MAC_E2E
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
    "far": {"dst_at_web2": "backend:eth0", "src_at_backend": "web2:eth0"},
}
