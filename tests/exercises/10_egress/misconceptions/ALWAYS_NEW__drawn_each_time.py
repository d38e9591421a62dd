"""A new port is drawn each time.

finds: 10.port.keep ALWAYS_NEW
finds: 10.port.elsewhere PORTS_64K
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    for port in (p for p in range(high, low - 1, -1) if p != sport):
        if low <= port <= high and port not in used:
            return port
    return None
