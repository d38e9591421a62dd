"""A forwarding entry is found by the node's address.

finds: 05.entries.fdb FDB_TURNED
"""


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    found = {"routes": [], "neighbours": [], "fdb": []}
    for lease in leases:
        if lease["public_ip"] == me or lease["type"] != "vxlan":
            continue
        hop = lease["subnet"].split("/")[0]
        found["routes"].append((lease["subnet"], hop))
        found["neighbours"].append((hop, lease["mac"]))
        found["fdb"].append((lease["public_ip"], lease["mac"]))
    return found
