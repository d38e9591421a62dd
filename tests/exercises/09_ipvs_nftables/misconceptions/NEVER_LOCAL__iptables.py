"""127.0.0.1 works in no mode.

finds: 09.migrate.works NEVER_LOCAL
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["10.1.15.1", "192.168.66.11"],
        "nftables": ["192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}
