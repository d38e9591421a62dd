"""The node's address is 192.168.66.11.

finds: 06.restart.bridge ETH0_ADDRESS
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "192.168.66.11",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
