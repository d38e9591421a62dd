"""The last matching line decides.

finds: 04.lookup.longest LAST_MATCH
finds: 04.lookup.bits LAST_MATCH
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [route for route in routes if address in ipaddress.ip_network(route[0])]
    return found[-1] if found else None
