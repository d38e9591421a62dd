"""Every rule has the chance 1/n.

finds: 08.chances.rules PROB_1N
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / n for i in range(n)]
