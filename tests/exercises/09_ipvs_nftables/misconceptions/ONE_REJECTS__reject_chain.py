"""What is rejected comes to reject-chain.

finds: 09.modes.ping ONE_REJECTS
finds: 09.modes.port ONE_REJECTS
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
        "ping_by": "reject-chain",
        "port": "rejected",
        "port_by": "reject-chain",
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
