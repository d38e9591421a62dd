"""Each request is balanced.

finds: 08.keep.one PER_REQ
"""

# answer: 08.keep
keep = {"one": {"backends": 3, "counted": 30}, "each": {"counted": 30, "expected": 10, "least": 0}}
