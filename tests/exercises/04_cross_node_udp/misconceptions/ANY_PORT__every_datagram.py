"""Every UDP datagram is for flanneld.

finds: 04.decapsulate.refuse ANY_PORT
"""


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    port = struct.unpack("!H", packet[22:24])[0]
    inner = packet[28:]
    if inner[8] <= 1:
        return None
    header = inner[:8] + bytes([inner[8] - 1]) + inner[9:10] + bytes(2) + inner[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + inner[20:]
