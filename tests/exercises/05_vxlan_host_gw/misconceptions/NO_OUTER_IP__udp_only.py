"""Around it comes UDP, 8 bytes.

finds: 05.largest.plain NO_OUTER_IP
finds: 05.largest.path NO_OUTER_IP
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    return min(eth0, *path) - {"udp": 8, "vxlan": 8, "host-gw": 0}[backend] - 28
