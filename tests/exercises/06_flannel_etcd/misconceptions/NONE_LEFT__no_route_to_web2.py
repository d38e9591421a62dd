"""node2 has no route for it.

finds: 06.restart.peers NONE_LEFT
"""

# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {"lease": "another", "docker0": "10.1.15.1/24", "reached": False, "route": "none"},
}
