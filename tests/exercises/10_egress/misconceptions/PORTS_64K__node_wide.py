"""A port is taken for the whole node.

finds: 10.port.elsewhere PORTS_64K
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table]
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return None
