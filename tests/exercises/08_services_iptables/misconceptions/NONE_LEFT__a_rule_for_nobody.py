"""A Service without endpoints still has one rule.

finds: 08.chances.none NONE_LEFT
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / (n - i) for i in range(n - 1)] + [1]
