"""node1 knows that the pod is gone, and refuses.

finds: 02.restart.old SOMEBODY_REFUSES
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "refused", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}
