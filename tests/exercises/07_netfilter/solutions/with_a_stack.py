"""A stack of chains; a chain of one's own; values in other forms."""


# answer: 07.verdict
def verdict(chains, policy, packet):
    """ACCEPT or DROP."""

    def inside(address, network):
        base, length = network.split("/")
        shift = 32 - int(length)
        values = [int.from_bytes(bytes(map(int, a.split(".")))) for a in (address, base)]
        return values[0] >> shift == values[1] >> shift

    stack = [iter(chains["FORWARD"])]
    while stack:
        rule = next(stack[-1], {"target": "RETURN"})
        checks = [inside(packet[k], rule[k]) for k in ("src", "dst") if k in rule]
        checks += [packet[k] == rule[k] for k in ("proto", "dport") if k in rule]
        if False in checks:
            continue
        if rule["target"] == "RETURN":
            stack.pop()
        elif rule["target"] in chains:
            stack.append(iter(chains[rule["target"]]))
        else:
            return rule["target"].lower()
    return policy


# answer: 07.tuples
tuples = {
    "original": {"src": "10.1.15.3", "dst": "10.96.0.99", "sport": "40007", "dport": "80"},
    "reply": {"src": "10.1.20.4 ", "dst": "192.168.66.11", "sport": "8080", "dport": 40007},
    "backend_sees": "192.168.66.11",
    "web1_sees": " 10.96.0.99",
    "route": ("10.1.20.0/24", "via", "192.168.66.12", "dev", "eth0"),
    "rule": "No rule",
}


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    return f"""
    iptables -t nat -N PUBLISH
    iptables -t nat -A PUBLISH -p tcp -m tcp --dport {port} -j DNAT --to-destination {pod}:{pod_port}
    sudo iptables -t nat -I PREROUTING -d {vip}/32 -j PUBLISH
    iptables -t nat -I OUTPUT 1 --destination {vip} -j PUBLISH
    """


# answer: 07.second
second = {
    "dnat": "2",
    "masquerade": 2,
    "forward_more": "yes",
    "ack": "filter FORWARD",
    "answer": ("FORWARD",),
}


# answer: 07.input
input_rule = {
    "answered": "yes",
    "pkts": "0",
    "chain": "filter FORWARD",
    "dport": "8080",
    "stops": {"forward_30080": "no", "forward_8080": "yes", "raw_30080": True},
}


# answer: 07.forward
forward = {
    "web2_backend": "dropped",
    "web2_node2": "answered",
    "node2_web2": "delivered",
    "backend_backend_b": "no",
    "seen_on": "node2:eth0",
    "mended": {"one": "lost", "two": "yes"},
}
