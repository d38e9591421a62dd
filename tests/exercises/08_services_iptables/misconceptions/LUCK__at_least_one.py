"""Thirty draws hit every backend.

finds: 08.keep.spread LUCK
"""

# answer: 08.keep
keep = {"one": {"backends": 1, "counted": 1}, "each": {"counted": 30, "expected": 10, "least": 1}}
