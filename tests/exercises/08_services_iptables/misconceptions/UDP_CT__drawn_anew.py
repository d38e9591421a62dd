"""Each datagram is drawn anew.

finds: 08.stopped.udp UDP_CT
"""

# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend", "backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}
