"""The next address is behind the highest one taken.

finds: 12.choose.round HIGHEST
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = map(str, ipaddress.ip_network(subnet).hosts())
    start = hosts.index(max(taken, key=ipaddress.ip_address)) + 1 if taken else 0
    if not taken and last:
        start = hosts.index(last) + 1
    return next((ip for ip in hosts[start:] + hosts[:start] if ip not in taken), None)
