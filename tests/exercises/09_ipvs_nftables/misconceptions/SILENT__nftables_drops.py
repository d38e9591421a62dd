"""A firewall answers nobody.

finds: 09.modes.ping SILENT
finds: 09.modes.port SILENT
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
        "ping": "dropped",
        "ping_by": "cluster-ips-check",
        "port": "dropped",
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
