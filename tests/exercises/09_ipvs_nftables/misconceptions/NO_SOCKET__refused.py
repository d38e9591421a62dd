"""Nobody listens on this port, so the kernel refuses.

finds: 09.modes.port NO_SOCKET
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
        "ping_by": "KUBE-IPVS-FILTER",
        "port": "refused",
        "port_by": "route",
        "device": "kube-ipvs0",
    },
}
