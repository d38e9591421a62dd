"""A walk that goes on is no difference.

finds: 13.hop.long LONGER_IS_FINE
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n, hop in enumerate(expected):
        if actual[n : n + 1] != [hop]:
            return n
    return None
