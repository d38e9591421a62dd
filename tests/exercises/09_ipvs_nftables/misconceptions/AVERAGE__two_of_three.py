"""Three draws from three pods: about two different ones.

finds: 09.turns.least AVERAGE
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-c"},
    "least": {"iptables": 2, "nftables": 2, "ipvs": 3},
}
