"""Equal walks differ at their end.

finds: 13.hop.equal NUMBER_ALWAYS
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    n = 0
    while n < len(expected) and n < len(actual) and expected[n] == actual[n]:
        n += 1
    return n
