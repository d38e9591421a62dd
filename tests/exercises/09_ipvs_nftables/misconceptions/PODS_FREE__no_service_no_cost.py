"""A packet to a pod meets no rule of a Service.

finds: 09.more.pod PODS_FREE
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables" or place in ("first", "pod"):
        return 0
    return (many - few) // 2 if place == "middle" else many - few
