"""Only kernels take from the TTL.

finds: 00.first.lost KERNEL_ONLY
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 2,
    "taken_by": ["node1", "node2"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
