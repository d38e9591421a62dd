"""The VNI has one byte.

finds: 05.wrap.vni VNI_SHORT
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return bytes([8, 0, 0, 0, 0, 0, vni % 256, 0]) + frame
