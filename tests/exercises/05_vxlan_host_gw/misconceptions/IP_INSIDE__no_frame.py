"""An IP packet is wrapped, not a frame.

finds: 05.wrap.inside IP_INSIDE
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return struct.pack("!II", 0x08 << 24, vni << 8) + frame[14:]
