"""Rules take turns, each takes all.

finds: 08.chances.rules RR
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 for i in range(n)]
