"""The switch between the nodes takes its share.

finds: 00.first.lost TTL_BRIDGE
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 5,
    "taken_by": ["node1", "switch", "node2"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
