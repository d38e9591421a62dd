"""Pods have different addresses, so the port may stay.

finds: 10.port.clash ALWAYS_KEEP
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    if low <= sport <= high and len(used) < high - low + 1:
        return sport
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return None
