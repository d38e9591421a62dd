"""Other words for the same: False or a text for None, a float for a number, names for addresses."""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    busy = {entry[-1] for entry in table if entry[:3] == [proto, dst, dport]}
    free = sorted(set(range(low, high + 1)) - busy)
    if not free:
        return "dropped" if low <= sport <= high else False
    return sport if sport in free else free[0]


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""
    number = 0
    while number < len(rules):
        wanted = zip(rules[number], (src, dst, out), strict=False)
        number += 1
        if all(fits(value, thing) for value, thing in wanted):
            return float(number)
    return False if out == "docker0" else "None"


def fits(value, thing):
    """One condition of a rule."""
    if not value:
        return True
    plain = value.lstrip("!")
    if "/" in plain:
        return (ipaddress.ip_address(thing) in ipaddress.ip_network(plain)) ^ (value[0] == "!")
    return (plain == thing) ^ (value[0] == "!")


# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3/24", "node3": "192.168.66.11 (node1)", "ext": "node1"},
    "docker": {"backend_c": "node1 (192.168.66.11)", "node3": "node1", "ext": "192.168.66.11"},
    "rule": {"backend_c": 2.0, "node3": "rule 5"},
    "none": {"ext_sees": "pod/web1", "answer_ends_in": "the router"},
}


# answer: 10.reply
reply = {
    "rule_counted": 1.0,
    "answer_met": "none",
    "on_eth0": "node1:40000",
    "on_docker0": ["web2", "40000"],
    "after": {"known": "192.168.66.11/24", "new": "10.1.15.2 (web2)"},
}


# answer: 10.limits
limits = {
    "ports": {"one": "64_512", "two": "129.024"},
    "three": {"ext": 3.0, "client": "3"},
    "table": {"both": "4"},
}


# answer: 10.partner
partner = {
    "cause": "wrong_snat",
    "script": """
node3$ iptables -t nat -D POSTROUTING 1
node2$ iptables -t nat -D POSTROUTING 1
""",
}


# answer: 10.peak
peak = {
    "cause": "conntrack_full",
    "script": """
node1$ sed -i '/maxPerCore/d; /min/d' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
