"""The first matching line decides, as in a firewall.

finds: 04.lookup.longest FIRST_MATCH
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [route for route in routes if address in ipaddress.ip_network(route[0])]
    return found[0] if found else None
