"""The overlay is one hop.

finds: 00.first.lost ONE_HOP
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 1,
    "taken_by": ["node1"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
