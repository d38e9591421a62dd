"""Sums of headers, lines as the tools print them, values in other forms."""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    narrowest = sorted([eth0, *path])[0]
    headers = [20, 8]
    if backend == "udp":
        headers += [20, 8]
    elif backend == "vxlan":
        headers += [20, 8, 8, 14]
    return str(narrowest - sum(headers))


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    others = [one for one in leases if one["type"] == "vxlan" and one["public_ip"] != me]
    hops = {one["subnet"]: one["subnet"].partition("/")[0] for one in others}
    return {
        "routes": [f"{subnet} via {hop} dev flannel.1 onlink" for subnet, hop in hops.items()],
        "neighbours": {hops[one["subnet"]]: one["mac"].upper() for one in reversed(others)},
        "fdb": "\n".join(f"{one['mac']} dst {one['public_ip']} self permanent" for one in others),
    }


# answer: 05.headers
headers = {
    "ethernet": {"src": "02:66:c0:a8:42:0d", "dst": "02-66-C0-A8-42-0B"},
    "outer": {"src": "192.168.66.13", "dst": " 192.168.66.11", "dport": "8472"},
    "inner_ethernet": {"src": "0e:f1:0a:01:1e:00", "dst": "0e:f1:0a:01:0f:00"},
    "ttl": {"outer": "64", "inner": "63"},
    "route": "10.1.15.0/24 via 10.1.15.0 dev flannel.1",
    "neighbour": ("10.1.15.0", "0E:F1:0A:01:0F:00"),
    "fdb": "0e:f1:0a:01:0f:00 dst 192.168.66.11 self permanent",
}


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return bytearray([0b00001000, 0, 0, 0]) + vni.to_bytes(3, "big") + b"\0" + frame


# answer: 05.router
router = {
    "accepted": "no",
    "hostgw": {"dst": "10.1.99.5", "ends_in": "Router", "told": "no one"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "node4",
        "route": "0.0.0.0/0 via 192.168.66.1 dev eth0",
    },
}


# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": "yes",
        "pods": "no",
        "ends_in": "node/node2",
        "neighbour": ("10.1.20.0", "0E-F1-0A-01-14-00"),
    },
    "blocked": {"nodes": "delivered", "pods": "dropped", "ends_in": "Node2"},
    "narrow": {"nodes": True, "pods": True, "large": "lost", "ends_in": "switch"},
}
