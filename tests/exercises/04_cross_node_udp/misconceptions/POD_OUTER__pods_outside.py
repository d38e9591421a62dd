"""The outer header carries the pods' addresses.

finds: 04.encapsulate.wrap POD_OUTER
"""


# answer: 04.encapsulate
def encapsulate(inner, source, target):
    """The outer packet that leaves eth0, or None."""
    if inner[8] <= 1:
        return None
    inner = with_checksum(inner[:8] + bytes([inner[8] - 1]) + inner[9:])
    udp = struct.pack("!HHHH", 8285, 8285, 8 + len(inner), 0)
    ends = inner[12:20]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(inner), 0, 0x4000, 64, 17, 0)
    return with_checksum(ip + ends) + udp + inner


def with_checksum(packet):
    """The packet with a fresh IPv4 header checksum."""
    header = packet[:10] + bytes(2) + packet[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]
