"""The same in other forms: texts for numbers, a set, a whole line of `ip route`."""

# answer: 00.first
first = {
    "ended_in": "pod/backend",
    "ttl_lost": "4",
    "taken_by": {"node2", "node1"},
    "near_ttl_lost": 0,
    "near_route": "10.1.15.0/24 dev eth0 proto kernel scope link src 10.1.15.2",
}
