"""A map is read entry by entry.

finds: 09.more.maps MAP_IS_LIST
"""


# answer: 09.more
def more(mode, place, few, many):
    """How many rules more are tested."""
    if place == "first":
        return 0
    return (many - few) // 2 if place == "middle" else many - few
