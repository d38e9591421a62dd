"""Nobody has it, so the gateway is asked.

finds: 02.restart.old GONE_GATEWAY
"""

# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "default via 10.1.15.1 dev eth0"},
}
