"""Some route always applies: without a match the last line does.

finds: 04.lookup.none ALWAYS_A_ROUTE
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [route for route in routes if address in ipaddress.ip_network(route[0])]
    fallback = routes[-1] if routes else None
    return max(found, key=lambda route: ipaddress.ip_network(route[0]).prefixlen, default=fallback)
