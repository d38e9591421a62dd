"""How long it takes to write one VXLAN-encapsulated TCP SYN as bytes: ours, dpkt, scapy.

    python benchmarks/bench_wire.py

All three start from finished header objects, fill in every length and checksum (the outer UDP's
too) and must produce the same bytes. Measured in turns, so that a busy machine is busy for all.
"""

from __future__ import annotations

import socket
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

from k8snetlib.packet import SYN, Ethernet, IPv4, Packet, Tcp, Udp, Vxlan
from k8snetlib.wire import decode, encode

OUTER, INNER = ("192.168.66.11", "192.168.66.12"), ("10.1.15.2", "10.1.20.3")
LINK = ("02:66:c0:a8:42:0b", "02:66:c0:a8:42:0c")
TUNNEL = ("0e:f1:0a:01:0f:00", "0e:f1:0a:01:14:00")
OPTIONS = bytes.fromhex("020405820402080a00000001000000000103030a")
ROUNDS, PER_ROUND = 41, 100


def ours() -> Callable[[], bytes]:
    """Our own."""
    packet = Packet(
        *(Ethernet(*LINK), IPv4(*OUTER, 17, id=7), Udp(42014, 8472), Vxlan(1)),
        *(Ethernet(*TUNNEL), IPv4(*INNER, 6, ttl=63, df=True)),
        Tcp(40003, 8080, SYN, 12345, options=OPTIONS),
    )
    return lambda: encode(packet)


def with_dpkt() -> Callable[[], bytes]:
    """The same with dpkt, which knows no VXLAN header: its 8 bytes are put in front by hand."""
    from dpkt import ethernet, ip, tcp, udp

    def link(addresses: tuple[str, str], data: Any) -> Any:
        src, dst = (bytes.fromhex(mac.replace(":", "")) for mac in addresses)
        return ethernet.Ethernet(src=src, dst=dst, type=0x0800, data=data)

    def ip_header(addresses: tuple[str, str], **fields: Any) -> Any:
        src, dst = map(socket.inet_aton, addresses)
        return ip.IP(src=src, dst=dst, **fields)

    syn = tcp.TCP(sport=40003, dport=8080, flags=SYN, seq=12345, win=64240, opts=OPTIONS)
    syn.off = 10
    inner = ip_header(INNER, p=6, ttl=63, id=0, data=syn)
    inner.df = 1
    datagram = udp.UDP(sport=42014, dport=8472)
    outer = ip_header(OUTER, p=17, ttl=64, id=7, data=datagram)
    frame, whole = link(TUNNEL, inner), link(LINK, outer)

    def build() -> bytes:
        # dpkt keeps a checksum once it is there; 0 has it computed again.
        syn.sum = inner.sum = datagram.sum = outer.sum = 0
        inner.len = len(inner)
        datagram.data = b"\x08\0\0\0\0\0\1\0" + bytes(frame)
        datagram.ulen = len(datagram)
        outer.len = len(outer)
        return bytes(whole)

    return build


def with_scapy() -> Callable[[], bytes]:
    """The same with scapy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its ciphers' deprecations do not matter here
        from scapy.layers import inet, l2, vxlan

    def ip_header(addresses: tuple[str, str], **fields: Any) -> Any:
        return inet.IP(src=addresses[0], dst=addresses[1], **fields)

    options = [("MSS", 1410), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 10)]
    syn = inet.TCP(sport=40003, dport=8080, flags="S", seq=12345, window=64240, options=options)
    # The options above are OPTIONS in scapy's words; they are checked below, byte by byte.
    inner = (
        l2.Ether(src=TUNNEL[0], dst=TUNNEL[1]) / ip_header(INNER, ttl=63, id=0, flags="DF") / syn
    )
    tunnel = inet.UDP(sport=42014, dport=8472) / vxlan.VXLAN(flags=8, vni=1)
    packet = l2.Ether(src=LINK[0], dst=LINK[1]) / ip_header(OUTER, id=7) / tunnel / inner

    def build() -> bytes:
        packet.clear_cache()
        return bytes(packet)

    return build


def measure(contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median microseconds per call."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            calls = PER_ROUND if name != "scapy" else PER_ROUND // 10
            start = time.perf_counter()
            for _ in range(calls):
                call()
            times[name].append((time.perf_counter() - start) / calls * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Prints medians and ratios; fails if the three do not agree on the bytes."""
    encode_ours = ours()
    contestants = {"k8snetlib": encode_ours, "dpkt": with_dpkt(), "scapy": with_scapy()}
    data = encode_ours()
    for name, call in contestants.items():
        if call() != data:
            raise SystemExit(f"{name} writes other bytes:\n{call().hex()}\n{data.hex()}")
    medians = measure(contestants)
    print(f"encode one VXLAN SYN, {len(data)} bytes, all checksums; median of {ROUNDS} rounds")
    for name, value in medians.items():
        print(f"  {name:10} {value:8.1f} us   {value / medians['k8snetlib']:6.1f}x")
    reading = measure({"decode": lambda: decode(data), "verify": lambda: decode(data, verify=True)})
    print(f"  decode: {reading['decode']:.1f} us, with verify {reading['verify']:.1f} us")


if __name__ == "__main__":
    main()
