"""Every lease is a vxlan lease.

finds: 05.entries.type ANY_TYPE
"""


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    found = {"routes": [], "neighbours": [], "fdb": []}
    for lease in leases:
        if lease["public_ip"] == me:
            continue
        hop = lease["subnet"].split("/")[0]
        found["routes"].append((lease["subnet"], hop))
        found["neighbours"].append((hop, lease["mac"]))
        found["fdb"].append((lease["mac"], lease["public_ip"]))
    return found
