"""The last hop that is right.

finds: 13.hop.place -
finds: 13.hop.address LAST_GOOD
finds: 13.hop.order -
finds: 13.hop.short LAST_HOP
finds: 13.hop.long LAST_GOOD
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n in range(max(len(expected), len(actual))):
        if expected[n : n + 1] != actual[n : n + 1]:
            return n - 1
    return None
