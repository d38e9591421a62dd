"""The outermost Ethernet header is counted.

finds: 05.largest.plain OUTER_ETHERNET
finds: 05.largest.path OUTER_ETHERNET
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 42, "vxlan": 64, "host-gw": 0}[backend]
    return min(eth0, *path) - overhead - 28
