"""Only whole octets are compared.

finds: 04.lookup.bits OCTETS
"""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    best, best_length = None, -1
    for route in routes:
        network, length = route[0].split("/")
        octets = int(length) // 8
        if network.split(".")[:octets] == dst.split(".")[:octets] and int(length) > best_length:
            best, best_length = route, int(length)
    return best
