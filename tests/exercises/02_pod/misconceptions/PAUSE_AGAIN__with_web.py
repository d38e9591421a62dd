"""A new container needs a new pause.

finds: 02.restart.web PAUSE_AGAIN
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["pause", "web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
