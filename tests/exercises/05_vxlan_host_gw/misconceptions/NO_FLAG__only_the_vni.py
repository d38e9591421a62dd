"""No flag is set.

finds: 05.wrap.flags NO_FLAG
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return struct.pack("!II", 0, vni << 8) + frame
