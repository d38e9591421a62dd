"""Only the outer IP header is taken off; the UDP header stays in front.

finds: 04.decapsulate.unwrap IP_ONLY
"""


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    inner = packet[28:]
    if packet[22:24] != struct.pack("!H", 8285) or inner[8] <= 1:
        return None
    header = inner[:8] + bytes([inner[8] - 1]) + inner[9:10] + bytes(2) + inner[12:20]
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return packet[20:28] + header + inner[20:]
