"""The newest endpoint takes over.

finds: 08.stopped.udp NEWEST
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {"same": ["backend-c"], "other": ["backend"], "later": ["backend"]},
}
