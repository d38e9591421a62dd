"""The overlay carries the inner packet quite unchanged.

finds: 04.encapsulate.inner NO_TTL
"""


# answer: 04.encapsulate
def encapsulate(inner, source, target):
    """The outer packet that leaves eth0, or None."""
    if inner[8] <= 1:
        return None
    udp = struct.pack("!HHHH", 8285, 8285, 8 + len(inner), 0)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(inner), 0, 0x4000, 64, 17, 0)
    return with_checksum(ip + ends) + udp + inner


def with_checksum(packet):
    """The packet with a fresh IPv4 header checksum."""
    header = packet[:10] + bytes(2) + packet[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]
