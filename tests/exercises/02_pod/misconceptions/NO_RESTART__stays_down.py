"""A program that crashed stays down.

finds: 02.restart.web NO_RESTART
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": []},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
