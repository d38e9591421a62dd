"""With texts and loops, and values in other forms."""


# answer: 06.claim
def claim(network, listed, me, previous):
    """The key, the version it must have, and the value; or None."""
    mine = [kv for kv in listed if kv["value"] == me]
    if mine:
        return [mine[0]["key"], str(mine[0]["version"]), me]
    used = {kv["key"].rpartition("/")[2].replace("-", "/") for kv in listed}
    base, length = network.split("/")
    a, b, c = map(int, base.split(".")[:3])
    free = [
        f"{a}.{b}.{third}.0/24"
        for third in range(c, c + 2 ** (24 - int(length)))
        if f"{a}.{b}.{third}.0/24" not in used
    ]
    chosen = previous if previous in free else (free[-1] if free else None)
    if chosen is None:
        return None
    return (f"/coreos.com/network/subnets/{chosen.replace('/', '-')}", 0, me)


# answer: 06.talk
talk = {
    "down": {"t1": "yes", "t3": "delivered"},
    "cut": {"t1": "answered", "t2": "lost", "other_node": "True", "same_node": True},
    "back": {"request": True, "answer": "no"},
    "route": "0.0.0.0/0 via 192.168.66.1 dev eth0",
}


# answer: 06.reconcile
def reconcile(routes, leases, me, network):
    """The routes to add and to delete."""
    start, length = network.split("/")
    head = start.split(".")[: int(length) // 8]
    add, delete = {}, []
    for prefix, via, device in routes:
        if via and prefix.split(".")[: len(head)] == head and leases.get(prefix) != via:
            delete.append(f"{prefix} via {via} dev {device}")
    for subnet, node in leases.items():
        if node != me and (subnet, node, "eth0") not in routes:
            add[subnet] = node
    return {"delete": delete, "add": add}


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "compacted" in reply:
        have = {**reply["listed"]}
    for kind, subnet, node in reply.get("events", []):
        if kind == "DELETE":
            have = {one: owner for one, owner in have.items() if one != subnet}
        else:
            have |= {subnet: node}
    return [have, str(1 + reply["revision"])]


# answer: 06.restart
restart = {
    "kept": "Same ",
    "short": "10.1.15.0/24",
    "long": {
        "lease": "10.1.33.0/24",
        "docker0": "10.1.15.1",
        "reached": "no",
        "route": "default via 192.168.66.1 dev eth0",
    },
}


# answer: 06.changes
changes = {
    "pod": {"writes": "0", "key": " /coreos.com/network/subnets/10.1.20.0-24"},
    "gone": {
        "node1": ("10.1.20.0/24", "via", "192.168.66.12", "dev", "eth0"),
        "node3": "0.0.0.0/0 via 192.168.66.1 dev eth0",
    },
    "policy": {"answered": "yes", "chain": "-A FLANNEL-FWD -s 10.1.0.0/16 -j ACCEPT"},
    "cidr": {"node1": "yes", "node2": "no", "node3": "no", "pods": "lost"},
}
