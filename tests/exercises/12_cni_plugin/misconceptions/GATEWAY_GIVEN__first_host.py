"""The very first pod gets the first usable address.

finds: 12.choose.first GATEWAY_GIVEN
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    gateway, *hosts = ipaddress.ip_network(subnet).hosts()
    if last is None:
        return str(gateway)
    start = hosts.index(ipaddress.ip_address(last)) + 1
    return next((str(ip) for ip in hosts[start:] + hosts[:start] if str(ip) not in taken), None)
