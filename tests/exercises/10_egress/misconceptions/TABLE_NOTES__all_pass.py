"""A full table keeps no notes, nothing more.

finds: 10.limits.table TABLE_NOTES
"""

# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 129024},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 10},
}
