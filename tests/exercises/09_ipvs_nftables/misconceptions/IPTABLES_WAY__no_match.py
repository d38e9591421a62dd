"""A wrong port is routed on, as in iptables mode.

finds: 09.verdict.known IPTABLES_WAY
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
        return None
    if ipaddress.ip_address(dst) in ipaddress.ip_network(network):
        return "drop"
    return None
