"""A rule that leaves a part out does not match.

finds: 07.verdict.first PART_MISSING
finds: 07.verdict.all PART_MISSING
finds: 07.verdict.jump PART_MISSING
finds: 07.verdict.return PART_MISSING
"""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def matches(rule):
        for key in ("src", "dst"):
            network = ipaddress.ip_network(rule.get(key, "0.0.0.0/32"))
            if ipaddress.ip_address(packet[key]) not in network:
                return False
        return all(packet[key] == rule.get(key) for key in ("proto", "dport"))

    def run(name):
        for rule in chains[name]:
            if not matches(rule):
                continue
            if rule["target"] in ("ACCEPT", "DROP"):
                return rule["target"]
            if rule["target"] == "RETURN":
                return None
            found = run(rule["target"])
            if found:
                return found
        return None

    return run("FORWARD") or policy
