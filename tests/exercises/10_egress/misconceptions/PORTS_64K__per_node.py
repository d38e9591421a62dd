"""64,512 connections a node.

finds: 10.limits.ports PORTS_64K
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 64512},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 4},
}
