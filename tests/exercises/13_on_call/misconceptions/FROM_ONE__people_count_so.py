"""The first hop is number 1.

finds: 13.hop.place -
finds: 13.hop.address FROM_ONE
finds: 13.hop.order -
finds: 13.hop.short FROM_ONE
finds: 13.hop.long FROM_ONE
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n in range(max(len(expected), len(actual))):
        if expected[n : n + 1] != actual[n : n + 1]:
            return n + 1
    return None
