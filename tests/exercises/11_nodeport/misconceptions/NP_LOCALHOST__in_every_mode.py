"""127.0.0.1 works in every mode.

finds: 11.probes.localhost NP_LOCALHOST
"""

# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "node1", "proves_the_port": False},
    "localhost": {"iptables": True, "nftables": True, "ipvs": True},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}
