"""1/n, and the last rule takes the rest.

finds: 08.chances.rules PROB_1N
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / n] * (n - 1) + [1] if n else []
