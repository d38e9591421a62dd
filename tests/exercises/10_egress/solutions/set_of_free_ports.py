"""A set of free ports, conditions by recursion; values in other forms."""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    free = set(range(low, high + 1))
    for entry in table:
        if (entry[0], entry[1], entry[2]) == (proto, dst, dport):
            free.discard(entry[3])
    if sport in free:
        return str(sport)
    return max(free) if free else None


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""
    for number, (source, destination, device, _) in enumerate(rules, 1):
        wanted = [(source, src), (destination, dst), (device, out)]
        if all(agrees(value, thing) for value, thing in wanted):
            return f"{number}"


def agrees(value, thing):
    """One condition of a rule."""
    if value == "":
        return True
    if value[0] == "!":
        return not agrees(value[1:], thing)
    if "/" not in value:
        return value == thing
    return ipaddress.ip_network(f"{thing}/32").subnet_of(ipaddress.ip_network(value))


# answer: 10.seen
seen = {
    "flannel": {"backend_c": "web1", "node3": "node1", "ext": "192.168.66.11/24"},
    "docker": {"backend_c": "node1", "node3": "192.168.66.11", "ext": "Node1"},
    "rule": {"backend_c": "2", "node3": "5"},
    "none": {"ext_sees": "web1", "answer_ends_in": "Router"},
}


# answer: 10.reply
reply = {
    "rule_counted": "1",
    "answer_met": "0",
    "on_eth0": ("192.168.66.11", 40000),
    "on_docker0": "10.1.15.2: 40000",
    "after": {"known": "node1", "new": "web2"},
}


# answer: 10.limits
limits = {
    "ports": {"one": "64,512", "two": "129 024"},
    "three": {"ext": "3", "client": 3},
    "table": {"both": "4"},
}


# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 0/' /var/lib/kube-proxy/config.conf
node1$ sysctl -w net.netfilter.nf_conntrack_max=262144
node1$ conntrack -F
""",
}
