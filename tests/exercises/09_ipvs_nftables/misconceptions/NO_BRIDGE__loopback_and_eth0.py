"""docker0 is a bridge, not an interface of the node.

finds: 09.migrate.works NO_BRIDGE
"""

# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "192.168.66.11"],
        "nftables": ["192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}
