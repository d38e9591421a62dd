"""IP and TCP are 40 bytes.

finds: 05.largest.plain TCP_SIZE
finds: 05.largest.path TCP_SIZE
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    return min(eth0, *path) - {"udp": 28, "vxlan": 50, "host-gw": 0}[backend] - 40
