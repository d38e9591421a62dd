"""Only eth0's MTU counts.

finds: 05.largest.path MTU
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return eth0 - overhead - 28
