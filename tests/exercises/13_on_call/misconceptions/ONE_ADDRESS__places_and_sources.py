"""The destination never changes.

finds: 13.hop.address ONE_ADDRESS
"""


# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    for n in range(max(len(expected), len(actual))):
        if [h[:2] for h in expected[n : n + 1]] != [h[:2] for h in actual[n : n + 1]]:
            return n
    return None
