"""Each client has its own turn.

finds: 09.turns.next CLIENT_TURN
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-c", "backend_b": "backend-c"},
    "least": {"iptables": 1, "nftables": 1, "ipvs": 3},
}
