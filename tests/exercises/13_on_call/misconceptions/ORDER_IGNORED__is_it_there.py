"""A hop may occur anywhere.

finds: 13.hop.order ORDER_IGNORED
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n, hop in enumerate(actual):
        if hop not in expected:
            return n
    return None if len(actual) == len(expected) else len(actual)
