"""Packets of known connections skip the filter.

finds: 07.second.ack SKIPS_FILTER
"""

# answer: 07.second
second = {"dnat": 2, "masquerade": 2, "forward_more": True, "ack": [], "answer": ["filter FORWARD"]}
