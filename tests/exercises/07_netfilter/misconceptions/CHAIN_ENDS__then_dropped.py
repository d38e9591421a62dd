"""What a chain does not accept is dropped.

finds: 07.verdict.jump CHAIN_ENDS
finds: 07.verdict.return RETURN_DROPS
"""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def matches(rule):
        for key in ("src", "dst"):
            if key in rule:
                if ipaddress.ip_address(packet[key]) not in ipaddress.ip_network(rule[key]):
                    return False
        return all(packet[key] == rule[key] for key in ("proto", "dport") if key in rule)

    def run(name):
        for rule in chains[name]:
            if not matches(rule):
                continue
            if rule["target"] in ("ACCEPT", "DROP"):
                return rule["target"]
            if rule["target"] == "RETURN":
                return None
            return run(rule["target"]) or "DROP"
        return None

    return run("FORWARD") or policy
