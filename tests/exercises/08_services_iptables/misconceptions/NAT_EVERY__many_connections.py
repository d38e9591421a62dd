"""nat rules see every packet: many connections.

finds: 08.keep.counted NAT_EVERY
"""

# answer: 08.keep
keep = {"one": {"backends": 1, "counted": 1}, "each": {"counted": 90, "expected": 10, "least": 0}}
