"""A function that calls itself; two rules."""


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
            found = run(rule["target"])
            if found:
                return found
        return None

    return run("FORWARD") or policy


# answer: 07.tuples
tuples = {
    "original": {"src": "10.1.15.3", "dst": "10.96.0.99", "sport": 40007, "dport": 80},
    "reply": {"src": "10.1.20.4", "dst": "192.168.66.11", "sport": 8080, "dport": 40007},
    "backend_sees": "192.168.66.11",
    "web1_sees": "10.96.0.99",
    "route": "10.1.20.0/24 via 192.168.66.12 dev eth0",
    "rule": "none",
}


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ]


# answer: 07.second
second = {
    "dnat": 2,
    "masquerade": 2,
    "forward_more": True,
    "ack": ["filter FORWARD"],
    "answer": ["filter FORWARD"],
}


# answer: 07.input
input_rule = {
    "answered": True,
    "pkts": 0,
    "chain": "FORWARD",
    "dport": 8080,
    "stops": {"forward_30080": False, "forward_8080": True, "raw_30080": True},
}


# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": ["eth0"],
    "mended": {"one": False, "two": True},
}


# answer: 07.perfect
perfect = {
    "cause": "forward-drop",
    "script": """
node1$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node1$ systemctl restart flanneld
node3$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node3$ systemctl restart flanneld
""",
}
