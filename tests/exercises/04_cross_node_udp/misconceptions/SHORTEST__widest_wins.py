"""The widest network wins.

finds: 04.lookup.longest SHORTEST
finds: 04.lookup.bits SHORTEST
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [route for route in routes if address in ipaddress.ip_network(route[0])]
    return min(found, key=lambda route: ipaddress.ip_network(route[0]).prefixlen, default=None)
