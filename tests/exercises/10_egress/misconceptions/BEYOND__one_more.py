"""There is always one more port.

finds: 10.port.full BEYOND
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    for port in (sport, *range(low, high + 1)):
        if low <= port <= high and port not in used:
            return port
    return high + 1
