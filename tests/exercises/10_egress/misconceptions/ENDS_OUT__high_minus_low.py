"""The last port minus the first one.

finds: 10.limits.ports ENDS_OUT
finds: 10.limits.three ENDS_OUT
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64511, "two": 129022},
    "three": {"ext": 2, "client": 2},
    "table": {"both": 4},
}
