"""Where eth0 is the narrowest place, every backend costs 50 bytes.

finds: 05.largest.plain SAME_OVERHEAD
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    if min(path) >= eth0:
        return eth0 - 50 - 28
    return min(eth0, *path) - overhead - 28
