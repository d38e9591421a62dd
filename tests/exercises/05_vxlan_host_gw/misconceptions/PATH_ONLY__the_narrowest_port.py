"""The path is what counts.

finds: 05.largest.plain PATH_ONLY
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    return min(path) - {"udp": 28, "vxlan": 50, "host-gw": 0}[backend] - 28
