"""The bridge lets four bytes more pass.

finds: 05.largest.plain VLAN_ROOM
finds: 05.largest.path VLAN_ROOM
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    return min(eth0, *path) + 4 - {"udp": 28, "vxlan": 50, "host-gw": 0}[backend] - 28
