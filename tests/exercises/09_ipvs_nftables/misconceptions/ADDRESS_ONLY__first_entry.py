"""The address alone tells which chain.

finds: 09.verdict.hit ADDRESS_ONLY
finds: 09.verdict.known ADDRESS_ONLY
"""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    for ip, *_, chain in services:
        if ip == dst:
            return chain
    if [dst, proto, port] in empty:
        return "reject"
    if dst in known:
        return "reject"
    if ipaddress.ip_address(dst) in ipaddress.ip_network(network):
        return "drop"
    return None
