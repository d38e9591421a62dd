"""One kube-proxy less, and the Service is down everywhere.

finds: 08.stopped.ready PROXY_DOWN
finds: 08.stopped.old PROXY_DOWN
"""

# answer: 08.stopped
stopped = {
    "old": {"from_backend": [], "from_web2": []},
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
