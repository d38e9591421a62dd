"""A running pod gets traffic.

finds: 08.stopped.ready READY
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b", "backend-c"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
