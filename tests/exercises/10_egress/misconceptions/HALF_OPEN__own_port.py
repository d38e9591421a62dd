"""The packet's own port is looked for in range(low, high).

finds: 10.port.keep HALF_OPEN
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    if sport in range(low, high) and sport not in used:
        return sport
    for port in range(low, high + 1):
        if port not in used:
            return port
    return None
