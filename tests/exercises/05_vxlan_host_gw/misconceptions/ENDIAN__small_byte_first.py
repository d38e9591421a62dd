"""The VNI is written with its small byte first.

finds: 05.wrap.vni ENDIAN
"""


# answer: 05.wrap
def wrap(frame, vni):
    """The payload of the UDP datagram."""
    return bytes([8, 0, 0, 0]) + struct.pack("<I", vni) + frame
