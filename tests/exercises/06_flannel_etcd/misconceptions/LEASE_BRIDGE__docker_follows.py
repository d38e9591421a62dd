"""The bridge follows the lease.

finds: 06.restart.bridge LEASE_BRIDGE
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.33.1/24",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
