"""All nodes share one turn: the next in line.

finds: 09.turns.next ONE_TURN
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-b"},
    "least": {"iptables": 1, "nftables": 1, "ipvs": 3},
}
