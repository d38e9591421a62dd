"""The round begins at the last address.

finds: 12.choose.round LAST_AGAIN
finds: 12.choose.wrap LAST_AGAIN
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = map(str, ipaddress.ip_network(subnet).hosts())
    start = hosts.index(last) if last else 0
    return next((ip for ip in hosts[start:] + hosts[:start] if ip not in taken), None)
