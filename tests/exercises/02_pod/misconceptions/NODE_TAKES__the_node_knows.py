"""The node gets it, and knows that the pod is gone.

finds: 02.restart.old NODE_TAKES
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "node1", "route": "10.1.15.0/24 dev eth0"},
}
