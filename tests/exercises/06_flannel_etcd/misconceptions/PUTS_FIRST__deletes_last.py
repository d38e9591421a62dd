"""All additions are applied first.

finds: 06.resume.events PUTS_FIRST
"""


# answer: 06.resume
def resume(have, since, reply):
    """The leases known now, and the revision to ask from."""
    if "listed" in reply:
        return reply["listed"], reply["revision"] + 1
    known = dict(have)
    for kind, subnet, node in sorted(reply["events"], reverse=True):
        if kind == "PUT":
            known[subnet] = node
        else:
            known.pop(subnet, None)
    return known, reply["revision"] + 1
