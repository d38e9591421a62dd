"""IPVS draws as well.

finds: 09.turns.least ALL_RANDOM
"""

# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-c"},
    "least": {"iptables": 1, "nftables": 1, "ipvs": 1},
}
