"""A loop over the entries, a product for the cost; values in other forms."""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    for *key, chain in services:
        if key == [dst, proto, port]:
            return f"goto {chain}"
    # A Service without endpoints has a known address as well.
    if dst in set(known):
        return "REJECT"
    inside = ipaddress.ip_address(dst) in ipaddress.ip_network(network)
    return "dropped" if inside else None


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    before = {"first": 0, "middle": 0.5, "last": 1, "pod": 1}
    return before[place] * (many - few) * (mode == "iptables")


# answer: 09.modes
modes = {
    "iptables": {
        "ping": "Unreachable",
        "ping_by": "default via 192.168.66.1 dev eth0",
        "port": "routed away",
        "port_by": "the route",
        "device": "None",
    },
    "nftables": {
        "ping": "reject",
        "ping_by": "chain cluster-ips-check",
        "port": "rejected",
        "port_by": "ip kube-proxy cluster-ips-check",
        "device": "-",
    },
    "ipvs": {
        "ping": "rejected",
        "ping_by": "-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set "
        "--match-set KUBE-IPVS-IPS dst -j REJECT",
        "port": "rejected",
        "port_by": "filter KUBE-IPVS-FILTER",
        "device": "kube-ipvs0",
    },
}


# answer: 09.turns
turns = {
    "next": {"web1": "pod/backend-b", "backend_b": "default/backend-c"},
    "least": {"iptables": "1", "nftables": 1, "ipvs": "3"},
}


# answer: 09.migrate
migrate = {
    "works": {
        "iptables": "192.168.66.11, 10.1.15.1 and localhost",
        "nftables": "192.168.66.11:30080",
        "ipvs": ("192.168.66.11", "10.1.15.1"),
    },
    "deprecated": "IPVS",
    "advised": " nftables",
}
