"""The answer is translated by a nat rule.

finds: 07.second.answer SNAT_REPLY
"""

# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": True,
    "ack": ["filter FORWARD"],
    "answer": ["filter FORWARD", "nat POSTROUTING"],
}
