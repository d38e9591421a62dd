"""The whole list is always read.

finds: 09.more.list WHOLE_LIST
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables":
        return 0
    return many - few
