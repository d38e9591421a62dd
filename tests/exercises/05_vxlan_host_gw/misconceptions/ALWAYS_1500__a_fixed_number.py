"""Every eth0 takes 1500 bytes.

finds: 05.largest.plain ALWAYS_1500
finds: 05.largest.path ALWAYS_1500
"""


# answer: 05.largest
def largest(backend, eth0, path):
    """The largest payload of a ping, in bytes."""
    overhead = {"udp": 28, "vxlan": 50, "host-gw": 0}[backend]
    return 1500 - overhead - 28
