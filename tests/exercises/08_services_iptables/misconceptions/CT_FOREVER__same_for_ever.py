"""conntrack never forgets a flow.

finds: 08.stopped.udp CT_FOREVER
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {"same": ["backend-c"], "other": ["backend", "backend-c"], "later": ["backend-c"]},
}
