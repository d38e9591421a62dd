"""FORWARD sees the old port.

finds: 07.input.seen DNAT_POST
"""

# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "FORWARD",
    "dport": 30080,
    "stops": {"forward_30080": False, "forward_8080": True, "raw_30080": True},
}
