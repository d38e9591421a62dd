"""The protocol does not matter.

finds: 09.verdict.hit ANY_PROTOCOL
"""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    for ip, _, number, chain in services:
        if (ip, number) == (dst, port):
            return chain
    if [dst, proto, port] in empty:
        return "reject"
    if dst in known:
        return "reject"
    if ipaddress.ip_address(dst) in ipaddress.ip_network(network):
        return "drop"
    return None
