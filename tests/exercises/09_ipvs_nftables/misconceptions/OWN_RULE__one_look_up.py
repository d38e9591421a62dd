"""A look-up in a map is one more rule.

finds: 09.more.maps OWN_RULE
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables":
        return 1
    grown = many - few
    return {"first": 0, "middle": grown // 2, "last": grown, "pod": grown}[place]
