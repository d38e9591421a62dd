"""Only places are compared.

finds: 13.hop.address PLACES_ONLY
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n in range(max(len(expected), len(actual))):
        if [hop[0] for hop in expected[n : n + 1]] != [hop[0] for hop in actual[n : n + 1]]:
            return n
    return None
