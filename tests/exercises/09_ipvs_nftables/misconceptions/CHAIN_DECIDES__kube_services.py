"""Each packet for a Service is decided by KUBE-SERVICES.

finds: 09.modes.ping CHAIN_DECIDES
finds: 09.modes.port CHAIN_DECIDES
"""

# answer: 09.modes
modes = {
    "iptables": {
        "ping": "unreachable",
        "ping_by": "KUBE-SERVICES",
        "port": "unreachable",
        "port_by": "KUBE-SERVICES",
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
