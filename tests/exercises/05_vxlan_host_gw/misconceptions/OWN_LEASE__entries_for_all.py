"""Every lease gets entries, one's own too.

finds: 05.entries.own OWN_LEASE
"""


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    found = {"routes": [], "neighbours": [], "fdb": []}
    for lease in leases:
        if lease["type"] != "vxlan":
            continue
        hop = lease["subnet"].split("/")[0]
        found["routes"].append((lease["subnet"], hop))
        found["neighbours"].append((hop, lease["mac"]))
        found["fdb"].append((lease["mac"], lease["public_ip"]))
    return found
