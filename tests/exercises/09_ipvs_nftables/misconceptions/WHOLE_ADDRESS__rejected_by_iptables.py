"""kube-proxy's rules know the address, and refuse what is no Service.

finds: 09.modes.ping WHOLE_ADDRESS
"""

# answer: 09.modes
modes = {
    "iptables": {
        "ping": "rejected",
        "ping_by": "KUBE-SERVICES",
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
        "port": "rejected",
        "port_by": "KUBE-IPVS-FILTER",
        "device": "kube-ipvs0",
    },
}
