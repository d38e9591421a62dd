"""The SYN comes to the container web.

finds: 02.restart.down OWN_NS
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
