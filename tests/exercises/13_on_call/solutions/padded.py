# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    longest = max(len(expected), len(actual))
    one = [tuple(hop) for hop in expected] + [None] * (longest - len(expected))
    other = [tuple(hop) for hop in actual] + [None] * (longest - len(actual))
    wrong = [n for n in range(longest) if one[n] != other[n]]
    return wrong[0] if wrong else None


# answer: 13.halve
halve = {"a": "SERVICE", "b": "ENDPOINTS", "c": "OVERLAY", "d": "SIZE"}
