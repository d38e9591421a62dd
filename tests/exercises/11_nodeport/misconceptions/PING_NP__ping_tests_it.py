"""A ping tests the port.

finds: 11.probes.ping PING_NP
"""

# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "node1", "proves_the_port": True},
    "localhost": {"iptables": True, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}
