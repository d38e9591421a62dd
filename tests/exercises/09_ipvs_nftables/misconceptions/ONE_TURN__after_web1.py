"""web1 takes the next turn, and then it is backend's.

finds: 09.turns.next ONE_TURN
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend"},
    "least": {"iptables": 1, "nftables": 1, "ipvs": 3},
}
