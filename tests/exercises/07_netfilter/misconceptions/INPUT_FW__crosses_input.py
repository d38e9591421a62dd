"""All that is sent to node1 crosses INPUT.

finds: 07.input.seen INPUT_FW
"""

# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "INPUT",
    "dport": 30080,
    "stops": {"forward_30080": False, "forward_8080": True, "raw_30080": True},
}
