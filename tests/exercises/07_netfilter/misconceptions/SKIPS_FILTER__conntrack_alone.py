"""conntrack takes the answer past all rules.

finds: 07.second.answer SKIPS_FILTER
"""

# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": True,
    "ack": ["filter FORWARD"],
    "answer": ["conntrack"],
}
