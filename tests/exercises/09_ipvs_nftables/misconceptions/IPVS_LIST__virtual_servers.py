"""Only nftables has maps; IPVS has a list of virtual servers.

finds: 09.more.maps IPVS_LIST
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if mode == "nftables":
        return 0
    grown = many - few
    return {"first": 0, "middle": grown // 2, "last": grown, "pod": grown}[place]
