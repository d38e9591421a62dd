"""The list is added to what was known.

finds: 06.resume.list MERGED_LIST
"""


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return have | reply["listed"], reply["revision"] + 1
    known = dict(have)
    for kind, subnet, node in reply["events"]:
        if kind == "PUT":
            known[subnet] = node
        else:
            known.pop(subnet, None)
    return known, reply["revision"] + 1
