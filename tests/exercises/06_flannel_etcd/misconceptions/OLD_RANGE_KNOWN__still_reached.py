"""The others still know the old range.

finds: 06.restart.peers OLD_RANGE_KNOWN
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": True,
        "route": "10.1.15.0/24 via 192.168.66.11 dev eth0",
    },
}
