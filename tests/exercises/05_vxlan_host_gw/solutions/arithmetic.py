"""Plain arithmetic: what most people will write."""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return min(eth0, *path) - overhead - 28


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    found = {"routes": [], "neighbours": [], "fdb": []}
    for lease in leases:
        if lease["public_ip"] == me or lease["type"] != "vxlan":
            continue
        hop = lease["subnet"].split("/")[0]
        found["routes"].append((lease["subnet"], hop))
        found["neighbours"].append((hop, lease["mac"]))
        found["fdb"].append((lease["mac"], lease["public_ip"]))
    return found


# answer: 05.headers
headers = {
    "ethernet": {"src": "node3:eth0", "dst": "node1:eth0"},
    "outer": {"src": "192.168.66.13", "dst": "192.168.66.11", "dport": 8472},
    "inner_ethernet": {"src": "node3:flannel.1", "dst": "node1:flannel.1"},
    "ttl": {"outer": 64, "inner": 63},
    "route": "10.1.15.0/24 via 10.1.15.0 dev flannel.1 onlink",
    "neighbour": "10.1.15.0 lladdr node1:flannel.1",
    "fdb": "node1:flannel.1 dst 192.168.66.11",
}


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return struct.pack("!II", 0x08 << 24, vni << 8) + frame


# answer: 05.router
router = {
    "accepted": False,
    "hostgw": {"dst": "10.1.99.5", "ends_in": "router", "told": "nobody"},
    "vxlan": {
        "dst": "203.0.113.10",
        "ends_in": "ext",
        "route": "default via 192.168.66.1 dev eth0",
    },
}


# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": True,
        "pods": False,
        "ends_in": "node2",
        "neighbour": "10.1.20.0 lladdr 0e:f1:0a:01:14:00",
    },
    "blocked": {"nodes": True, "pods": False, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}


# answer: 05.deaf
deaf = {
    "cause": "vtep-mac",
    "script": """
node3$ systemctl restart flanneld
""",
}

# answer: 05.hole
hole = {
    "cause": "mtu-black-hole",
    "script": """
switch$ ip link set p-node2 mtu 1500
""",
}
