"""Either port will do.

finds: 07.input.stops TABLE_MATTERS_NOT
"""

# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": True, "forward_8080": True, "raw_30080": True},
}
