"""127.0.0.1 never reaches a node port.

finds: 11.probes.localhost NEVER_LOCAL
"""

# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "node1", "proves_the_port": False},
    "localhost": {"iptables": False, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}
