"""The average holds for every place.

finds: 09.more.list ALWAYS_HALF
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables":
        return 0
    return (many - few) // 2 if place != "pod" else many - few
