"""Three ports for the whole node.

finds: 10.limits.three PORTS_64K
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 129024},
    "three": {"ext": 3, "client": 0},
    "table": {"both": 4},
}
