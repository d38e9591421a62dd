"""The watch asks from the old revision again, after the list.

finds: 06.resume.again SINCE_KEPT
"""


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return reply["listed"], since
    known = dict(have)
    for kind, subnet, node in reply["events"]:
        if kind == "PUT":
            known[subnet] = node
        else:
            known.pop(subnet, None)
    return known, reply["revision"] + 1
