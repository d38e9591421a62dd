"""Only subnet.env remembers the range.

finds: 06.restart.remember ENV_ONLY
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "another",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
