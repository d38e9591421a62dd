"""A client is remembered.

finds: 08.keep.counted STICKY
"""

# answer: 08.keep
keep = {"one": {"backends": 1, "counted": 1}, "each": {"counted": 1, "expected": 10, "least": 0}}
