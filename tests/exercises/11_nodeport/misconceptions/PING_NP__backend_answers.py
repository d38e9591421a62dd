"""The endpoint answers the ping.

finds: 11.probes.ping PING_NP
"""

# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "backend", "proves_the_port": False},
    "localhost": {"iptables": True, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}
