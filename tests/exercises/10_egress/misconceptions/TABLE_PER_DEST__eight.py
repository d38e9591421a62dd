"""The table has room for each destination.

finds: 10.limits.table TABLE_PER_DEST
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 129024},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 8},
}
