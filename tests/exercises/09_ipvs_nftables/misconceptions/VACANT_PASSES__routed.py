"""An unused address is routed on.

finds: 09.verdict.vacant VACANT_PASSES
"""


# answer: 09.verdict
def verdict(services, empty, known, network, dst, proto, port):
    """A chain's name, "reject", "drop", or None."""
    chains = {(ip, kind, number): chain for ip, kind, number, chain in services}
    if (dst, proto, port) in chains:
        return chains[dst, proto, port]
    if [dst, proto, port] in empty:
        return "reject"
    if dst in known:
        return "reject"
    if ipaddress.ip_address(dst) in ipaddress.ip_network(network):
        return None
    return None
