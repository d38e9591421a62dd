"""Values as most people write them."""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 4,
    "taken_by": ["node1", "node2"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
