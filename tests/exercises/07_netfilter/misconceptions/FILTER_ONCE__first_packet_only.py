"""filter rules see the first packet only.

finds: 07.second.filter FILTER_ONCE
"""

# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": False,
    "ack": ["filter FORWARD"],
    "answer": ["filter FORWARD"],
}
