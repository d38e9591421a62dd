"""One of two addresses is enough.

finds: 07.verdict.all ANY_PART
"""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def matches(rule):
        ends = [
            ipaddress.ip_address(packet[key]) in ipaddress.ip_network(rule[key])
            for key in ("src", "dst")
            if key in rule
        ]
        if ends and not any(ends):
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
            found = run(rule["target"])
            if found:
                return found
        return None

    return run("FORWARD") or policy
