"""nftables takes turns: 0, 1, 2.

finds: 09.turns.least RR
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-c"},
    "least": {"iptables": 1, "nftables": 3, "ipvs": 3},
}
