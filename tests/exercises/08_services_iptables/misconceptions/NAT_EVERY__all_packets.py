"""nat rules see every packet: one connection.

finds: 08.keep.one NAT_EVERY
"""

# answer: 08.keep
keep = {"one": {"backends": 1, "counted": 30}, "each": {"counted": 30, "expected": 10, "least": 0}}
