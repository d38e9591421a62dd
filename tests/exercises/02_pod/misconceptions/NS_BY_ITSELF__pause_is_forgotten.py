"""The namespace is there again.

finds: 02.restart.pause NS_BY_ITSELF
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
