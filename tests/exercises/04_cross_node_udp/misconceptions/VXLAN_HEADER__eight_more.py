"""A VXLAN header stands between UDP and the inner packet.

finds: 04.decapsulate.unwrap VXLAN_HEADER
finds: 04.decapsulate.ttl -
"""


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    if packet[22:24] != struct.pack("!H", 8285) or packet[36] <= 1:
        return None
    return packet[36:]
