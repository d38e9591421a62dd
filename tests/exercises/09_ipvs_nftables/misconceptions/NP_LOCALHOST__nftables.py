"""127.0.0.1 works in nftables mode.

finds: 09.migrate.works NP_LOCALHOST
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}
