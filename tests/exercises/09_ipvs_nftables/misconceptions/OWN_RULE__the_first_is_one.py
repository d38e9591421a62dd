"""The first place costs one rule.

finds: 09.more.list OWN_RULE
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode != "iptables":
        return 0
    grown = many - few
    return {"first": 1, "middle": grown // 2, "last": grown, "pod": grown}[place]
