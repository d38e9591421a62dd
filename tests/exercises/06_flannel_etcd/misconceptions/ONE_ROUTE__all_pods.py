"""One route leads to all pods.

finds: 06.restart.peers ONE_ROUTE
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "10.1.0.0/16 dev flannel0",
    },
}
