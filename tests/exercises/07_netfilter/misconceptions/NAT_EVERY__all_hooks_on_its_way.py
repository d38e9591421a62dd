"""The ACK meets a rule in each hook.

finds: 07.second.ack NAT_EVERY
"""

# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": True,
    "ack": ["PREROUTING", "FORWARD", "POSTROUTING"],
    "answer": ["filter FORWARD"],
}
