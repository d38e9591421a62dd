"""flanneld took it, so flanneld is the answer.

finds: 00.first.lost PART_IS_NS
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 4,
    "taken_by": ["node1", "flanneld", "node2"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
