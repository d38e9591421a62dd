"""A client keeps its endpoint from every port.

finds: 08.stopped.udp STICKY
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {"same": ["backend-c"], "other": ["backend-c"], "later": ["backend", "backend-c"]},
}
