"""IPVS goes, so we go back to iptables.

finds: 09.migrate.future GO_BACK
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": ["192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "iptables",
}
