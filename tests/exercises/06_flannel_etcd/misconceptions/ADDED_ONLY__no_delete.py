"""Only what was added is applied.

finds: 06.resume.events ADDED_ONLY
"""


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return reply["listed"], reply["revision"] + 1
    known = dict(have)
    for kind, subnet, node in reply["events"]:
        if kind == "PUT":
            known[subnet] = node
        else:
            pass
    return known, reply["revision"] + 1
