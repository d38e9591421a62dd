"""Sender and receiver take one, too.

finds: 00.first.lost ENDS_TAKE
"""

# answer: 00.first
first = {
    "ended_in": "backend",
    "ttl_lost": 4,
    "taken_by": ["web2", "backend"],
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0",
}
