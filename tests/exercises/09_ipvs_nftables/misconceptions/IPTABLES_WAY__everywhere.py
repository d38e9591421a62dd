"""A wrong port meets no rule in any mode.

finds: 09.modes.port IPTABLES_WAY
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
        "port": "unreachable",
        "port_by": "route",
        "device": "none",
    },
    "ipvs": {
        "ping": "rejected",
        "ping_by": "KUBE-IPVS-FILTER",
        "port": "unreachable",
        "port_by": "route",
        "device": "kube-ipvs0",
    },
}
