"""A ping to an address that is there is let through.

finds: 09.verdict.known PING_FREE
"""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    if proto == "icmp" and dst in known:
        return "accept"
    for *key, chain in services:
        if key == [dst, proto, port]:
            return chain
    if dst in known:
        return "reject"
    inside = ipaddress.ip_address(dst) in ipaddress.ip_network(network)
    return "drop" if inside else None
