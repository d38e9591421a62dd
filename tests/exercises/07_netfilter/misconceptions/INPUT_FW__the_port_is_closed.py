"""An INPUT rule protects a NodePort.

finds: 07.input.answered INPUT_FW
"""

# answer: 07.input
input_rule = {
    "answered": False,
    "pkts": 1,
    "chain": "FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": False, "forward_8080": True, "raw_30080": True},
}
