"""The largest pair, as Python orders them.

finds: 04.lookup.longest TEXT_ORDER
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    found = [r for r in routes if ipaddress.ip_address(dst) in ipaddress.ip_network(r[0])]
    return max(found, default=None)
