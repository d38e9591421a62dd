"""A prefix of length 0 compares no bits, so it matches nothing.

finds: 04.lookup.default NO_DEFAULT
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [r for r in routes if address in ipaddress.ip_network(r[0]) and r[0][-2:] != "/0"]
    return max(found, key=lambda route: ipaddress.ip_network(route[0]).prefixlen, default=None)
