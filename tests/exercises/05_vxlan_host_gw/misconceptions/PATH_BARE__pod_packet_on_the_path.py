"""The path is compared with the pod's bare packet.

finds: 05.largest.path PATH_BARE
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return min(eth0 - overhead, *path) - 28
