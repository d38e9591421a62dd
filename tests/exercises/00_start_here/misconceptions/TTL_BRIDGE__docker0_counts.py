"""docker0 takes its share between two of its ports.

finds: 00.first.near TTL_BRIDGE
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 4,
    "taken_by": ["node1", "node2"],
    "near_ttl_lost": 1,
    "near_route": "10.1.15.0/24 dev eth0",
}
