"""The range ends at its last address.

finds: 12.choose.wrap NO_WRAP
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = ipaddress.ip_network(subnet).hosts()
    start = hosts.index(ipaddress.ip_address(last)) + 1 if last else 0
    return next((str(ip) for ip in hosts[start:] if str(ip) not in taken), None)
