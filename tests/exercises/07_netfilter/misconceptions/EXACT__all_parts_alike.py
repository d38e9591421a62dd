"""A packet's address must be what the rule says.

finds: 07.verdict.all EXACT
"""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def matches(rule):
        return all(packet[key] == rule[key] for key in rule if key != "target")

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
