"""A packet's address must be the network's.

finds: 07.verdict.all EXACT
"""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def matches(rule):
        for key in ("src", "dst"):
            if key in rule and packet[key] != rule[key].split("/")[0]:
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
