"""A node always keeps its range.

finds: 06.restart.long SUBNET_KEEP
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "same",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
