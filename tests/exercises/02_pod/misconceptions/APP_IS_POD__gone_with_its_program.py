"""Without its program the pod is gone.

finds: 02.restart.down APP_IS_POD
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "unreachable", "ends_in": "node1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
