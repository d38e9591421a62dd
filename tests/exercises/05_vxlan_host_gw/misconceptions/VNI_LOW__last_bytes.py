"""The VNI stands in the last bytes.

finds: 05.wrap.vni VNI_LOW
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return struct.pack("!II", 0x08 << 24, vni) + frame
