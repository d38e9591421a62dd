"""The next hop is docker0 of the other node.

finds: 05.entries.routes VIA_BRIDGE
finds: 05.entries.neighbours VIA_BRIDGE
"""


# answer: 05.entries
def entries(leases, me):
    """The pairs of the three tables."""
    found = {"routes": [], "neighbours": [], "fdb": []}
    for lease in leases:
        if lease["public_ip"] == me or lease["type"] != "vxlan":
            continue
        hop = lease["subnet"].split("/")[0][:-1] + "1"
        found["routes"].append((lease["subnet"], hop))
        found["neighbours"].append((hop, lease["mac"]))
        found["fdb"].append((lease["mac"], lease["public_ip"]))
    return found
