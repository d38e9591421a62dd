# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = ipaddress.ip_network(subnet).hosts()
    start = hosts.index(ipaddress.ip_address(last)) + 1 if last else 0
    for ip in hosts[start:] + hosts[:start]:
        if str(ip) not in taken:
            return str(ip)
    return None


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}


# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}


# answer: 12.twins
twins = {
    "from_node1": "web2",
    "from_node2": "backend",
    "from_node3": "web2",
    "route_node3": "10.1.15.0/24 via 192.168.66.11 dev eth0",
    "noticed_by": "nobody",
}


# answer: 12.late
late = {
    "cause": "leaked-addresses",
    "script": """
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.3 /var/lib/cni/networks/cbr0/10.1.30.4 /var/lib/cni/networks/cbr0/10.1.30.5 /var/lib/cni/networks/cbr0/10.1.30.6 /var/lib/cni/networks/cbr0/10.1.30.7 /var/lib/cni/networks/cbr0/10.1.30.8 /var/lib/cni/networks/cbr0/10.1.30.9 /var/lib/cni/networks/cbr0/10.1.30.10 /var/lib/cni/networks/cbr0/10.1.30.11 /var/lib/cni/networks/cbr0/10.1.30.12 /var/lib/cni/networks/cbr0/10.1.30.13 /var/lib/cni/networks/cbr0/10.1.30.14
node3$ systemctl restart kubelet
""",
}
