"""range(low, high) are the ports of the rule.

finds: 10.port.clash HALF_OPEN
"""


# answer: 10.port
def free_port(table, proto, dst, dport, sport, low, high):
    """The source port behind the translation, or None."""
    used = [port for *towards, port in table if towards == [proto, dst, dport]]
    if low <= sport <= high and sport not in used:
        return sport
    return next((port for port in range(low, high) if port not in used), None)
