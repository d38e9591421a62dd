"""The watch goes on at the compacted revision.

finds: 06.resume.again FROM_COMPACT
"""


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return reply["listed"], reply["compacted"] + 1
    known = dict(have)
    for kind, subnet, node in reply["events"]:
        if kind == "PUT":
            known[subnet] = node
        else:
            known.pop(subnet, None)
    return known, reply["revision"] + 1
