"""node1's new range leads to node1.

finds: 06.restart.peers NEW_LEADS
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "10.1.44.0/24 via 192.168.66.11 dev eth0",
    },
}
