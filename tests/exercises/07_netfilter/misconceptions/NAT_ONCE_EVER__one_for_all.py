"""A nat rule is asked once for ever.

finds: 07.second.counts NAT_ONCE_EVER
"""

# answer: 07.second
second = {
    "dnat": 1,
    "masquerade": 1,
    "forward_more": True,
    "ack": ["filter FORWARD"],
    "answer": ["filter FORWARD"],
}
