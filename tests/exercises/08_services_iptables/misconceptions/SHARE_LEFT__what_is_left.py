"""What comes to a rule, in place of what it takes.

finds: 08.chances.rules SHARE_LEFT
"""


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [(n - i) / n for i in range(n)]
