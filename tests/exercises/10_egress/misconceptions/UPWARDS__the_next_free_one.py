"""If it is taken, I count up until a port is free.

finds: 10.port.clash UPWARDS
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    port = max(sport, low)
    while port in used:
        port += 1
    return port if port <= high else None
