"""INPUT protects the node port.

finds: 11.probes.input INPUT_FW
"""

# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "node1", "proves_the_port": False},
    "localhost": {"iptables": True, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": True, "ipvs": True},
}
