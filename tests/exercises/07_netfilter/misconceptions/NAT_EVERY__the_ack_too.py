"""The ACK meets the nat rules, too.

finds: 07.second.ack NAT_EVERY
"""

# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": True,
    "ack": ["nat PREROUTING", "filter FORWARD", "nat POSTROUTING"],
    "answer": ["filter FORWARD"],
}
