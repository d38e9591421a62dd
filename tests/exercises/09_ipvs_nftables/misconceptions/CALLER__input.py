"""The packet is for the node itself, so INPUT decides.

finds: 09.modes.ping CALLER
"""

# answer: 09.modes
modes = {
    "iptables": {
        "ping": "unreachable",
        "ping_by": "route",
        "port": "unreachable",
        "port_by": "route",
        "device": "none",
    },
    "nftables": {
        "ping": "rejected",
        "ping_by": "cluster-ips-check",
        "port": "rejected",
        "port_by": "cluster-ips-check",
        "device": "none",
    },
    "ipvs": {
        "ping": "rejected",
        "ping_by": "INPUT",
        "port": "rejected",
        "port_by": "KUBE-IPVS-FILTER",
        "device": "kube-ipvs0",
    },
}
