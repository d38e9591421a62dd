# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    network = ipaddress.IPv4Network(subnet)
    size = network.num_addresses
    at = int(ipaddress.IPv4Address(last)) - int(network[0]) if last is not None else 1
    for step in range(1, size + 1):
        offset = (at + step) % size
        if offset not in (0, 1, size - 1) and str(network[offset]) not in taken:
            return network[offset]


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    left = dict(files)
    if command == "ADD":
        if container in left.values() or not free:
            return [None, left]
        left[free] = container
        return [free, left]
    for ip in [ip for ip in left if left[ip] == container]:
        del left[ip]
    return ["", left]


# answer: 12.sequence
sequence = {
    "c": "10.77.0.4/29",
    "d": "10.77.0.5/29",
    "e": "10.77.0.6/29",
    "f": "10.77.0.2/29",
    "g": "None",
    "leaked": "10.77.0.4, 10.77.0.3",
}


# answer: 12.twins
twins = {
    "from_node1": "pod/web2",
    "from_node2": "default/backend",
    "from_node3": "Web2",
    "route_node3": "10.1.15.0/24 via 192.168.66.11 dev eth0 proto static",
    "noticed_by": "none",
}
