"""The first free port; values in the forms of the task."""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return None


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, test):
        return not value or test(value.removeprefix("!")) != value.startswith("!")

    for number, (source, destination, device, _) in enumerate(rules, start=1):
        if (
            holds(source, lambda net: inside(src, net))
            and holds(destination, lambda net: inside(dst, net))
            and holds(device, lambda name: name == out)
        ):
            return number
    return None


def inside(address, net):
    """True if the network contains the address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(net)


# answer: 10.seen
seen = {
    "flannel": {"backend_c": "10.1.15.3", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "docker": {"backend_c": "192.168.66.11", "node3": "192.168.66.11", "ext": "192.168.66.11"},
    "rule": {"backend_c": 2, "node3": 5},
    "none": {"ext_sees": "10.1.15.3", "answer_ends_in": "router"},
}


# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:40000",
    "on_docker0": "10.1.15.2:40000",
    "after": {"known": "192.168.66.11", "new": "10.1.15.2"},
}


# answer: 10.limits
limits = {
    "ports": {"one": 64512, "two": 129024},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 4},
}


# answer: 10.partner
partner = {
    "cause": "wrong-snat",
    "script": """
node2$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
node3$ iptables -t nat -D POSTROUTING -s 10.1.0.0/16 -d 203.0.113.0/24 -j SNAT --to-source 192.168.66.202
""",
}


# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ sed -i 's/maxPerCore: 2/maxPerCore: 32768/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
""",
}
