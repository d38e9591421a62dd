"""Without kube-proxy no Service works on node2.

finds: 08.stopped.old PROXY_DOWN
"""

# answer: 08.stopped
stopped = {
    "old": {"from_backend": [], "from_web2": ["backend", "backend-b"]},
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
