"""The TTL that arrives.

finds: 00.first.lost TTL_LEFT
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 60,
    "taken_by": ["node1", "node2"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
