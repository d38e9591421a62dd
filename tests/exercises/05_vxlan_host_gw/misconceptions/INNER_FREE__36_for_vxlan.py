"""The inner Ethernet header is not counted.

finds: 05.largest.plain INNER_FREE
finds: 05.largest.path INNER_FREE
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 36, "host-gw": 0}[backend]
    return min(eth0, *path) - overhead - 28
