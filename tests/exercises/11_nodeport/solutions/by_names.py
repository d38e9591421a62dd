# answer: 11.matrix
matrix = {
    "a": {"fate": "Delivered", "source": "node1"},
    "b": {"fate": "lost", "source": "none", "chain": "filter KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "ok", "source": "ext"},
    "d": {"fate": "delivered", "source": "pod/web2"},
    "e": {"fate": "delivered", "source": "node/node1"},
}


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    number = int(ipaddress.IPv4Address(source))
    network = ipaddress.IPv4Network(entry["pods"])
    outside = number & int(network.netmask) != int(network.network_address)
    for own in entry["addresses"]:
        outside = outside and own != source
    chosen = {tuple(e) for e in endpoints}
    if policy == "Local" and outside:
        chosen = {e for e in chosen if e[1] == entry["name"]}
    return sorted(e[0] for e in chosen)


# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "node1",
        "nodes": "backend -> node2 -> node1 -> ext",
        "undone_by": "the connection (conntrack)",
        "ext_sees": "node1",
    },
    "local": {"sent_to": "ext", "nodes": ("node2",)},
}


# answer: 11.probes
probes = {
    "ss_lists_it": "no",
    "ping": {"answered_by": "node/node1", "proves_the_port": "no"},
    "localhost": {"iptables": "yes", "nftables": "no", "ipvs": "no"},
    "input_rule_stops": {"iptables": "no", "ipvs": "yes"},
}
