"""The chance falls with each rule.

finds: 08.chances.rules BACKWARDS
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / (i + 2) for i in range(n - 1)] + [1] if n else []
