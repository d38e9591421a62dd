"""A walk that ends early is no difference.

finds: 13.hop.short ZIP_STOPS
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n, hop in enumerate(actual):
        if expected[n : n + 1] != [hop]:
            return n
    return None
