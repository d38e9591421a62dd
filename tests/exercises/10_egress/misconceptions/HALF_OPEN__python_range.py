"""The last port of the range is left out.

finds: 10.port.keep HALF_OPEN
finds: 10.port.clash HALF_OPEN
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    for port in (sport, *range(low, high + 1)):
        if low <= port < high and port not in used:
            return port
    return None
