"""All pods are in 10.1.0.0/16.

finds: 02.restart.old WIDE_LINK
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.0.0/16 dev eth0"},
}
