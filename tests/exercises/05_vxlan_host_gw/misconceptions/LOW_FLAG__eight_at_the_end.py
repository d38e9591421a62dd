"""The flag stands at the end of the first four bytes.

finds: 05.wrap.flags LOW_FLAG
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return struct.pack("!II", 8, vni << 8) + frame
