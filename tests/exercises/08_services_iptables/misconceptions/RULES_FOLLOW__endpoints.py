"""The rules of node2 follow the endpoints.

finds: 08.stopped.old RULES_FOLLOW
"""

# answer: 08.stopped
stopped = {
    "old": {"from_backend": ["backend", "backend-b"], "from_web2": ["backend", "backend-b"]},
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
