"""The own port is kept, allowed or not.

finds: 10.port.outside KEEP_OUTSIDE
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    if sport not in used and len(used) <= high - low:
        return sport
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return None
