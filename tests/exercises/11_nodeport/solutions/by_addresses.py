# answer: 11.matrix
matrix = {
    "a": {"fate": "delivered", "source": "192.168.66.11"},
    "b": {"fate": "dropped", "source": "nobody", "chain": "KUBE-EXTERNAL-SERVICES"},
    "c": {"fate": "delivered", "source": "203.0.113.10"},
    "d": {"fate": "delivered", "source": "10.1.15.2"},
    "e": {"fate": "delivered", "source": "192.168.66.11"},
}


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    pods = ipaddress.ip_network(entry["pods"])
    inside = source in entry["addresses"] or ipaddress.ip_address(source) in pods
    if policy == "Cluster" or inside:
        return [pod for pod, node in endpoints]
    return [pod for pod, node in endpoints if node == entry["name"]]


# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2", "node1"],
        "undone_by": "conntrack",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}


# answer: 11.probes
probes = {
    "ss_lists_it": False,
    "ping": {"answered_by": "node1", "proves_the_port": False},
    "localhost": {"iptables": True, "nftables": False, "ipvs": False},
    "input_rule_stops": {"iptables": False, "ipvs": True},
}


# answer: 11.door
door = {
    "cause": "policy-local",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'
""",
}

# answer: 11.shop
shop = {
    "cause": "asymmetric-reply",
    "script": """
node1$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
node3$ iptables -t nat -D POSTROUTING -s 192.168.66.0/24 -d 10.1.0.0/16 -j ACCEPT
""",
}
