"""The fault is where the walk ends.

finds: 13.hop.place LAST_HOP
finds: 13.hop.address LAST_HOP
finds: 13.hop.order LAST_HOP
finds: 13.hop.short LAST_HOP
finds: 13.hop.long LAST_HOP
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    return None if expected == actual else len(actual) - 1
