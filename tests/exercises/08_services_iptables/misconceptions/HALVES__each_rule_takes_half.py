"""Each rule takes half of what comes to it.

finds: 08.chances.rules HALVES
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [0.5] * (n - 1) + [1] if n else []
