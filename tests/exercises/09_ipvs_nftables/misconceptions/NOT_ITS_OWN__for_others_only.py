"""Node ports are for packets that come from outside.

finds: 09.migrate.works NOT_ITS_OWN
finds: 09.migrate.ipvs NOT_ITS_OWN
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": [],
        "ipvs": [],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}
