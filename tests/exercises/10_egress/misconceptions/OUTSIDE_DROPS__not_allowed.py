"""A port outside the range loses the packet.

finds: 10.port.outside OUTSIDE_DROPS
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    if not low <= sport <= high:
        return None
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return None
