"""A dict for the map; values in the forms of the task."""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    chains = {(ip, kind, number): chain for ip, kind, number, chain in services}
    if (dst, proto, port) in chains:
        return chains[dst, proto, port]
    if [dst, proto, port] in empty:
        return "reject"
    if dst in known:
        return "reject"
    if ipaddress.ip_address(dst) in ipaddress.ip_network(network):
        return "drop"
    return None


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables" or place == "first":
        return 0
    return (many - few) // 2 if place == "middle" else many - few


# answer: 09.modes
modes = {
    "iptables": {
        "ping": "unreachable",
        "ping_by": "route",
        "port": "unreachable",
        "port_by": "route",
        "device": "none",
    },
    "nftables": {
        "ping": "rejected",
        "ping_by": "cluster-ips-check",
        "port": "rejected",
        "port_by": "cluster-ips-check",
        "device": "none",
    },
    "ipvs": {
        "ping": "rejected",
        "ping_by": "KUBE-IPVS-FILTER",
        "port": "rejected",
        "port_by": "KUBE-IPVS-FILTER",
        "device": "kube-ipvs0",
    },
}


# answer: 09.turns
turns = {
    "next": {"web1": "backend-b", "backend_b": "backend-c"},
    "least": {"iptables": 1, "nftables": 1, "ipvs": 3},
}


# answer: 09.migrate
migrate = {
    "works": {
        "iptables": ["127.0.0.1", "10.1.15.1", "192.168.66.11"],
        "nftables": ["192.168.66.11"],
        "ipvs": ["10.1.15.1", "192.168.66.11"],
    },
    "deprecated": "ipvs",
    "advised": "nftables",
}


# answer: 09.agent
agent = {
    "cause": "localhost-node-port",
    "script": """
node1$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node1$ systemctl restart kube-proxy
node3$ sed -i 's/nftables/iptables/' /var/lib/kube-proxy/config.conf
node3$ systemctl restart kube-proxy
""",
}
