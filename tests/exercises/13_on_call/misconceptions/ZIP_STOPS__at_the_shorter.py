"""The comparison stops with the shorter walk.

finds: 13.hop.short ZIP_STOPS
finds: 13.hop.long LONGER_IS_FINE
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n, (one, other) in enumerate(zip(expected, actual)):  # noqa: B905
        if one != other:
            return n
    return None
