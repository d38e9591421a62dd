"""So many rules are tested in the larger cluster.

finds: 09.more.list TOTAL
finds: 09.more.pod TOTAL
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables":
        return 0
    return {"first": 1, "middle": many // 2, "last": many, "pod": many}[place]
