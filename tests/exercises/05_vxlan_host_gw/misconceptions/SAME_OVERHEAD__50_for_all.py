"""Every backend takes 50 bytes.

finds: 05.largest.plain SAME_OVERHEAD
finds: 05.largest.path SAME_OVERHEAD
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return min(eth0, *path) - 50 - 28
