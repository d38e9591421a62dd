"""kube-proxy listens on the port.

finds: 11.probes.ss NP_LISTEN
"""

# answer: 11.probes
probes = {
    "ss_lists_it": True,
    "ping": {"answered_by": "node1", "proves_the_port": False},
    "localhost": {"iptables": True, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}
