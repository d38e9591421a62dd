"""iptables is the oldest of the three.

finds: 09.migrate.future OLDEST_GOES
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": ["192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "iptables",
    "advised": "nftables",
}
