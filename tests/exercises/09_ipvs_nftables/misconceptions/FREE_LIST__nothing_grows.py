"""Services cost nothing, in any mode.

finds: 09.more.list FREE_LIST
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if place != "pod" or mode != "iptables":
        return 0
    return (many - few) // 2 if place == "middle" else many - few
