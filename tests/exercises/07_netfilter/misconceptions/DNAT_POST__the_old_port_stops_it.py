"""A FORWARD rule for the old port stops the client.

finds: 07.input.stops DNAT_POST
"""

# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": True, "forward_8080": False, "raw_30080": True},
}
