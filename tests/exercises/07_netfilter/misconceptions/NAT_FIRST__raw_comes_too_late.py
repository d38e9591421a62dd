"""nat speaks before raw.

finds: 07.input.stops NAT_FIRST
"""

# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": False, "forward_8080": True, "raw_30080": False},
}
