"""Every mode is round robin.

finds: 09.turns.least RR
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-c"},
    "least": {"iptables": 3, "nftables": 3, "ipvs": 3},
}
