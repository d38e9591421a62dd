"""nat rules see every packet.

finds: 07.second.counts NAT_EVERY
"""

# answer: 07.second
second = {
    "dnat": 10,
    "masquerade": 10,
    "forward_more": True,
    "ack": ["filter FORWARD"],
    "answer": ["filter FORWARD"],
}
