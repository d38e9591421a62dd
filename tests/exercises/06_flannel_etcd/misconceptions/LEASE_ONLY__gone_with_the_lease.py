"""A range is lost with its lease.

finds: 06.restart.remember LEASE_ONLY
"""

# answer: 06.restart
restart = {
    "kept": "another",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
