"""Addresses are compared as text.

finds: 04.lookup.bits STRING_PREFIX
finds: 04.lookup.default NO_DEFAULT
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    best, best_length = None, -1
    for route in routes:
        network, length = route[0].split("/")
        while network.endswith(".0"):
            network = network[:-2]
        if dst.startswith(network) and int(length) > best_length:
            best, best_length = route, int(length)
    return best
