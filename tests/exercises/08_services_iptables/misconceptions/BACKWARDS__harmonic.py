"""The first rule has the largest chance.

finds: 08.chances.rules BACKWARDS
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / (i + 1) for i in range(n)]
