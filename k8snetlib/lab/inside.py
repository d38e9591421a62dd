"""What lives here: the programs that run *inside* the lab's network namespaces, in one plain file.

``script`` carries this file's text along, so it may import nothing but the standard library::

    python3 inside.py serve   CONFIG.json     TCP and UDP servers that say who they are
    python3 inside.py flanneld CONFIG.json    the proxy loop of flannel's udp backend, on a TUN
    device

Both write ``ready`` into the file that the configuration names as soon as they can be talked to.

Simplified here: flanneld's routes are fixed when it starts (the real one takes commands).
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import socket
import struct
import sys
from typing import Any

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
IP_PKTINFO, ICMP, MOST = 8, 1, 65536


def serve(config: dict[str, Any]) -> None:
    """Opens every socket that ``config["listen"]`` names, and answers each request once."""
    selector = selectors.DefaultSelector()
    for proto, ip, port, name, reply in config["listen"]:
        kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
        server = socket.socket(socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if proto == "udp":
            server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        server.bind((ip, port))
        if proto == "tcp":
            server.listen(64)
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ, (proto, name, reply))
    ready(config)
    while True:
        for key, _ in selector.select():
            try:
                _one(selector, key.fileobj, *key.data)
            except OSError:
                continue  # the peer is gone; the next one may be there


def _one(selector: Any, sock: Any, proto: str, name: str, reply: Any) -> None:
    if proto == "tcp":
        peer, address = sock.accept()
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_READ, ("peer", name, [reply, address]))
    elif proto == "udp":
        data, extra, _, address = sock.recvmsg(MOST, 64)
        # Bound to 0.0.0.0, it answers from the address at which it was asked.
        asked = extra[0][2][8:12] if extra else bytes(4)
        back = [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + asked + bytes(4))]
        sock.sendmsg([answer(name, reply, address, data)], back, 0, address)
    else:
        fixed, address = reply
        data = sock.recv(MOST)
        if data:
            sock.send(answer(name, fixed, address, data))
        else:
            selector.unregister(sock)
            sock.close()


def answer(name: str, reply: str | None, peer: tuple[str, int], data: bytes) -> bytes:
    """Who I am, whom I see, how much I got; or ``reply`` (hexadecimal), if that is fixed."""
    if reply is not None:
        return bytes.fromhex(reply)
    return f"I am {name}. I see {peer[0]}:{peer[1]}. I got {len(data)} bytes.\n".encode()


def flanneld(config: dict[str, Any]) -> None:
    """TUN -> UDP and UDP -> TUN, each one less in the TTL (flannel's proxy_amd64.c)."""
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", config["tun"].encode(), IFF_TUN | IFF_NO_PI))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((config["address"], config["port"]))
    routes = [tuple(route) for route in config["routes"]]
    selector = selectors.DefaultSelector()
    selector.register(tun, selectors.EVENT_READ)
    selector.register(udp, selectors.EVENT_READ)
    ready(config)
    while True:
        for key, _ in selector.select():
            try:
                if key.fileobj is udp:
                    packet = lower_ttl(udp.recv(MOST))
                    if packet:
                        os.write(tun, packet)
                else:
                    _from_tun(tun, udp, routes, config)
            except OSError:
                continue


def _from_tun(tun: int, udp: socket.socket, routes: list[Any], config: dict[str, Any]) -> None:
    packet = os.read(tun, MOST)
    dst = int.from_bytes(packet[16:20], "big")
    for at, (net, mask, node) in enumerate(routes):
        if dst & mask == net:
            routes[0], routes[at] = routes[at], routes[0]
            lowered = lower_ttl(packet)
            if lowered:
                udp.sendto(lowered, (node, config["port"]))
            return
    later_fragment = struct.unpack("!H", packet[6:8])[0] & 0x1FFF
    if packet[9] != ICMP and not later_fragment:
        os.write(tun, net_unreachable(packet, socket.inet_aton(config["tun_address"])))


def lower_ttl(packet: bytes) -> bytes:
    """The packet with one less in its TTL; nothing, if that reaches 0."""
    if len(packet) < 20 or packet[8] <= 1:
        return b""
    header = bytearray(packet[:20])
    header[8] -= 1
    header[10:12] = b"\0\0"
    header[10:12] = checksum(bytes(header))
    return bytes(header) + packet[20:]


def net_unreachable(packet: bytes, source: bytes) -> bytes:
    """ICMP net unreachable as flanneld writes it: TTL 8, quoting the header and 8 bytes more."""
    quote = packet[:28]
    icmp = bytearray(struct.pack("!BBHI", 3, 0, 0, 0) + quote)
    icmp[2:4] = checksum(bytes(icmp))
    header = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 8, ICMP, 0))
    header += source + packet[12:16]
    header[10:12] = checksum(bytes(header))
    return bytes(header + icmp)


def checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def ready(config: dict[str, Any]) -> None:
    """Tells the script that this program can be talked to."""
    with open(config["ready"], "w") as file:
        file.write("ready\n")


def main(verb: str, path: str) -> None:
    """Reads the configuration and does what ``verb`` says, until it is killed."""
    with open(path) as file:
        config = json.load(file)
    {"serve": serve, "flanneld": flanneld}[verb](config)


if __name__ == "__main__":
    main(*sys.argv[1:3])
