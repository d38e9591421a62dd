"""A port may be shared.

finds: 10.limits.three SHARED_PORT
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 129024},
    "three": {"ext": 5, "client": 5},
    "table": {"both": 4},
}
