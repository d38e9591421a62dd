"""-1 means none.

finds: 13.hop.equal NUMBER_ALWAYS
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n in range(max(len(expected), len(actual))):
        if expected[n : n + 1] != actual[n : n + 1]:
            return n
    return -1
