"""nftables mode takes all addresses but 127.0.0.1.

finds: 09.migrate.works ALL_ADDRESSES
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": ["10.1.15.1", "192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}
