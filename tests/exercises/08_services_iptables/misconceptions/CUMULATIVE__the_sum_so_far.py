"""The shares add up to 1.

finds: 08.chances.rules CUMULATIVE
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [(i + 1) / n for i in range(n)]
