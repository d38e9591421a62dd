"""The old address still leads to the pod.

finds: 02.restart.old OLD_ANSWERS
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "delivered", "ends_in": "web1", "route": "10.1.15.0/24 dev eth0"},
}
