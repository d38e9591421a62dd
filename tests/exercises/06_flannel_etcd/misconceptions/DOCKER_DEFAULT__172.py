"""Docker takes its default range again.

finds: 06.restart.bridge DOCKER_DEFAULT
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "172.17.0.1/16",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}
