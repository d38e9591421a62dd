"""A generator; commands as lists of words; values in still other words."""

# answer: 07.verdict
from ipaddress import ip_address, ip_network


def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def fits(rule):
        return (
            ip_address(packet["src"]) in ip_network(rule.get("src", "0.0.0.0/0"))
            and ip_address(packet["dst"]) in ip_network(rule.get("dst", "0.0.0.0/0"))
            and packet["proto"] == rule.get("proto", packet["proto"])
            and packet["dport"] == rule.get("dport", packet["dport"])
        )

    def walk(rules):
        for rule in filter(fits, rules):
            if rule["target"] == "RETURN":
                return
            if rule["target"] in chains:
                yield from walk(chains[rule["target"]])
            else:
                yield rule["target"]

    return next(walk(chains["FORWARD"]), policy)


# answer: 07.tuples
tuples = {
    "original": {"src": "web1", "dst": "10.96.0.99", "sport": 40007, "dport": "80"},
    "reply": {"src": "backend-b (10.1.20.4)", "dst": "node1", "sport": 8080, "dport": 40007},
    "backend_sees": "192.168.66.11:40007",
    "web1_sees": "10.96.0.99/32",
    "route": "10.1.20.0/24 via 192.168.66.12",
    "rule": "no nat rule: conntrack remembers",
}


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    made = ["# for pods, and for node1's own processes"]
    for chain in ("PREROUTING", "OUTPUT"):
        words = ["node1$", "/usr/sbin/iptables", "-w", "-t", "nat", "-A", chain, "-d", vip]
        words += ["-p", "TCP", f"--dport={port}", "-j", "DNAT", "--to", f"{pod}:{pod_port}"]
        made.append(words)
    return made


# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": 1,
    "ack": {"filter": ["FORWARD"]},
    "answer": "the FORWARD chain of filter",
}


# answer: 07.input
input_rule = {
    "answered": 1,
    "pkts": 0,
    "chain": "table filter, chain FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": 0, "forward_8080": 1, "raw_30080": "Yes."},
}


# answer: 07.forward
forward = {
    "web2_backend": "timeout",
    "web2_node2": 1,
    "node2_web2": "True",
    "backend_backend_b": 0,
    "seen_on": "only eth0 of node2",
    "mended": {"one": "not answered", "two": "answered"},
}
