"""All ports there are.

finds: 10.limits.ports ALL_PORTS
"""

# answer: 10.limits
limits = {
    "ports": {"one": 65536, "two": 131072},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 4},
}
