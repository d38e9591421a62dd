"""Other words for the same: no, False, a text for None, names of devices, a dict of yes and no."""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    chain = {f"{e[0]}:{e[1]}:{e[2]}": e[3] for e in services}.get(f"{dst}:{proto}:{port}")
    if chain:
        return chain
    if dst in known:
        return "goto reject-chain"
    return "drop" if ipaddress.ip_address(dst) in ipaddress.ip_network(network) else "None"


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    grown = {"first": 0, "middle": (many - few) / 2}.get(place, many - few)
    return grown if mode == "iptables" else "0"


# answer: 09.modes
modes = {
    "iptables": {
        "ping": "no route to host",
        "ping_by": "routing",
        "port": "host unreachable",
        "port_by": "no rule, the route",
        "device": False,
    },
    "nftables": {
        "ping": "Rejected",
        "ping_by": "CLUSTER-IPS-CHECK",
        "port": "rejected",
        "port_by": "cluster-ips-check",
        "device": "no",
    },
    "ipvs": {
        "ping": "reject",
        "ping_by": "kube-ipvs-filter",
        "port": "reject",
        "port_by": "KUBE-IPVS-FILTER",
        "device": "node1:kube-ipvs0",
    },
}


# answer: 09.turns
turns = {
    "next": {"web1": "10.1.20.4", "backend_b": "10.1.30.2"},
    "least": {"iptables": "1", "nftables": "1", "ipvs": "3"},
}


# answer: 09.migrate
migrate = {
    "works": {
        "iptables": "all",
        "nftables": ["192.168.66.11/24"],
        "ipvs": {"127.0.0.1": False, "10.1.15.1": True, "192.168.66.11": "yes"},
    },
    "deprecated": "the IPVS mode",
    "advised": "nftables mode",
}


# answer: 09.agent
agent = {
    "cause": "localhost_node_port",
    "script": """
node1$ sed -i '/^mode/d' /var/lib/kube-proxy/config.conf
node3$ sed -i 's/mode: nftables/mode: ""/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node3$ systemctl restart kube-proxy
""",
}
