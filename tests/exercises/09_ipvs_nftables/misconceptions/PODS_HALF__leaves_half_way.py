"""A packet to a pod leaves the list half-way.

finds: 09.more.pod PODS_HALF
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables" or place == "first":
        return 0
    return (many - few) // 2 if place in ("middle", "pod") else many - few
