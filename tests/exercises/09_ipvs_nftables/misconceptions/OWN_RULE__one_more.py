"""The Service's own rule is one more.

finds: 09.more.list OWN_RULE
finds: 09.more.pod OWN_RULE
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables" or place == "first":
        return 0
    return (many - few) // 2 + 1 if place == "middle" else many - few + 1
