"""With ipaddress and sets."""


# answer: 06.claim
def claim(network, listed, me, previous):
    """The key, the version it must have, and the value; or None."""
    prefix = "/coreos.com/network/subnets/"
    for kv in listed:
        if kv["value"] == me:
            return kv["key"], kv["version"], me
    taken = {kv["key"] for kv in listed}
    whole = ipaddress.ip_network(network)
    ranges = [str(one) for one in whole.subnets(new_prefix=24)]
    wishes = ([previous] if previous in ranges else []) + ranges
    for subnet in wishes:
        key = prefix + subnet.replace("/", "-")
        if key not in taken:
            return key, 0, me
    return None


# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}


# answer: 06.reconcile
def reconcile(routes, leases, me, network):
    """The routes to add and to delete."""
    inside = ipaddress.ip_network(network)
    there = set()
    for prefix, via, _ in routes:
        if via and ipaddress.ip_network(prefix).subnet_of(inside):
            there.add((prefix, via))
    should = {(subnet, node) for subnet, node in leases.items() if node != me}
    return {"add": list(should - there), "delete": list(there - should)}


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return reply["listed"], reply["revision"] + 1
    known = dict(have)
    for kind, subnet, node in reply["events"]:
        if kind == "PUT":
            known[subnet] = node
        else:
            known.pop(subnet, None)
    return known, reply["revision"] + 1


# answer: 06.restart
restart = {
    "kept": "same",
    "short": "same",
    "long": {
        "lease": "another",
        "docker0": "10.1.15.1/24",
        "reached": False,
        "route": "default via 192.168.66.1 dev eth0",
    },
}


# answer: 06.changes
changes = {
    "pod": {"writes": 0, "key": "/coreos.com/network/subnets/10.1.20.0-24"},
    "gone": {
        "node1": "10.1.20.0/24 via 192.168.66.12 dev eth0",
        "node3": "default via 192.168.66.1 dev eth0",
    },
    "policy": {"answered": True, "chain": "FLANNEL-FWD"},
    "cidr": {"node1": True, "node2": False, "node3": False, "pods": False},
}


# answer: 06.weekend
weekend = {
    "cause": "lease-lost",
    "script": r"""
node1$ systemctl stop flanneld
node1$ etcdctl del /coreos.com/network/subnets/10.1.52.0-24
node1$ sed -i 's/^FLANNEL_SUBNET=.*/FLANNEL_SUBNET=10.1.15.1\/24/' /run/flannel/subnet.env
node1$ systemctl start flanneld
""",
}

# answer: 06.fresh
fresh = {
    "cause": "cidr-mismatch",
    "script": """
node1$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node1$ systemctl restart flanneld
node2$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node2$ systemctl restart flanneld
node3$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node3$ systemctl restart flanneld
""",
}
