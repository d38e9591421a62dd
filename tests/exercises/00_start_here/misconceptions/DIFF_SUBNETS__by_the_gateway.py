"""Pods of one node are in different subnets, so docker0 routes between them.

finds: 00.first.near DIFF_SUBNETS
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 4,
    "taken_by": ["node1", "node2"],
    "near_ttl_lost": 1,
    "near_route": "default via 10.1.15.1 dev eth0",
}
