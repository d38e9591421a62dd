"""If the places differ, the last one is wrong.

finds: 13.hop.place LAST_HOP
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    one, other = [hop[0] for hop in expected], [hop[0] for hop in actual]
    shorter = min(len(one), len(other))
    if sorted(one) != sorted(other) and one[:shorter] != other[:shorter]:
        return len(actual) - 1
    for n in range(max(len(expected), len(actual))):
        if expected[n : n + 1] != actual[n : n + 1]:
            return n
    return None
