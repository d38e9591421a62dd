"""The pod is still there, so its port is open.

finds: 02.restart.down SOCKET_STAYS
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "delivered", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
