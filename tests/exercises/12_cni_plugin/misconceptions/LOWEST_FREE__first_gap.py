"""The lowest free address comes next.

finds: 12.choose.round LOWEST_FREE
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = ipaddress.ip_network(subnet).hosts()
    return next((str(ip) for ip in hosts if str(ip) not in taken), None)
