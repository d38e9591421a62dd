"""A ping has no port, so no rule of nftables mode is about it.

finds: 09.modes.ping IPTABLES_WAY
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
        "ping": "unreachable",
        "ping_by": "route",
        "port": "rejected",
        "port_by": "cluster-ips-check",
        "device": "none",
    },
    "ipvs": {
        "ping": "rejected",
        "ping_by": "KUBE-IPVS-FILTER",
        "port": "rejected",
        "port_by": "KUBE-IPVS-FILTER",
        "device": "kube-ipvs0",
    },
}
