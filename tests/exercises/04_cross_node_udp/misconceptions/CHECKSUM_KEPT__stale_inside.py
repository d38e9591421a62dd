"""The inner TTL changes, its header checksum stays.

finds: 04.decapsulate.ttl CHECKSUM_KEPT
"""


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    inner = packet[28:]
    if packet[22:24] != struct.pack("!H", 8285) or inner[8] <= 1:
        return None
    return inner[:8] + bytes([inner[8] - 1]) + inner[9:]
