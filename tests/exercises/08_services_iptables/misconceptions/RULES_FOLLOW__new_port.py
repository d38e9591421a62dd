"""The rules of node2 follow the Service.

finds: 08.stopped.new RULES_FOLLOW
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "backend", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
