"""The wrapping takes no room.

finds: 05.largest.plain NO_OVERHEAD
finds: 05.largest.path NO_OVERHEAD
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return min(eth0, *path) - 28
