"""The shortest list first.

finds: 09.verdict.hit KNOWN_FIRST
"""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    if dst in known:
        return "reject"
    for *key, chain in services:
        if key == [dst, proto, port]:
            return chain
    inside = ipaddress.ip_address(dst) in ipaddress.ip_network(network)
    return "drop" if inside else None
