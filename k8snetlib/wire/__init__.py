"""What lives here: packets as bytes. The room between the model and the rest of the world.

* ``encode`` and ``decode``: a packet to the bytes on the wire, and back.
* ``fields`` and ``hexdump``: the same bytes with their meaning, for people.
* ``pcap``: capture files that Wireshark and tcpdump read.

What may not live here: decisions about packets. Only ``pcap`` may write a file.

Simplified here: what ``packet`` leaves out (IPv6, IP options, VLAN tags) is refused, not guessed.
"""

from k8snetlib.wire.decode import FLANNEL_UDP_PORTS, VXLAN_PORTS, decode
from k8snetlib.wire.encode import checksum, encode
from k8snetlib.wire.fields import Field, fields, hexdump
from k8snetlib.wire.pcap import pcap_bytes, pcapng_bytes, write_pcap

__all__ = [
    "FLANNEL_UDP_PORTS",
    "VXLAN_PORTS",
    "Field",
    "checksum",
    "decode",
    "encode",
    "fields",
    "hexdump",
    "pcap_bytes",
    "pcapng_bytes",
    "write_pcap",
]
