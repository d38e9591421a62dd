"""What lives here: the same sends as the model's, with real sockets.

One function per protocol sends once and waits; it returns what the sender saw, as the outcomes of
the model that fit (a sender cannot tell a firewall's ICMP error from an end host's, nor a packet
that was dropped from one that was lost).
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from k8snetlib.lab.inside import checksum

_IP_MTU_DISCOVER, _DONT, _WANT, _DO = 10, 0, 1, 2
_IP_RECVERR, _FROM_ICMP = 11, 2

#: ICMP (type, code) -> the outcomes it may mean.
_MEANS: dict[tuple[int, int], frozenset[str]] = {
    (11, 0): frozenset({"ttl-exceeded"}),
    (3, 0): frozenset({"unreachable", "rejected"}),
    (3, 1): frozenset({"unreachable", "rejected"}),
    (3, 2): frozenset({"refused", "rejected"}),
    (3, 3): frozenset({"refused", "rejected"}),
    (3, 4): frozenset({"too-big"}),
    (3, 9): frozenset({"rejected"}),
    (3, 10): frozenset({"rejected"}),
    (3, 13): frozenset({"rejected"}),
}
_SILENCE = frozenset({"lost", "dropped"})


class Seen(NamedTuple):
    """What a sender saw: the outcomes of the model that fit it, its words for it, the answer."""

    outcomes: frozenset[str]
    words: str
    reply: bytes = b""


class Order(NamedTuple):
    """One send, with everything fixed: ports, TTL (None: the default), payload, don't-fragment."""

    dst: str
    port: int
    sport: int
    payload: bytes
    ttl: int | None = None
    df: bool = True


Sender = Callable[[Order, float], tuple[socket.socket, Seen]]


def tcp(order: Order, patience: float) -> tuple[socket.socket, Seen]:
    """Connects, sends the request and reads the reply; the socket stays open (no teardown yet).

    Closing it resets the connection: one packet, and no TIME_WAIT that would block the port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _options(sock, order, _WANT if order.df else _DONT)
    sock.bind(("", order.sport))
    sock.settimeout(patience)
    try:
        sock.connect((order.dst, order.port))
        sock.sendall(order.payload)
        reply = sock.recv(65536)
    except TimeoutError:
        return sock, Seen(_SILENCE, "nobody answered")
    except OSError as error:
        return sock, Seen(_of_errno(error.errno), f"the connection failed: {error.strerror}")
    return sock, Seen(frozenset({"delivered"}), "an answer came back", reply)


def udp(order: Order, patience: float) -> tuple[socket.socket, Seen]:
    """Sends one datagram and waits for one, or for an ICMP error about it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    _options(sock, order, _DO if order.df else _DONT)
    sock.bind(("", order.sport))
    return sock, _send_and_wait(sock, order, order.payload, patience, lambda data: data)


def icmp(order: Order, patience: float) -> tuple[socket.socket, Seen]:
    """Sends one echo request (identifier: ``sport``, sequence 1) and waits for its reply."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    _options(sock, order, _DO if order.df else _DONT)
    rest = struct.pack("!HH", order.sport, 1)
    message = bytearray(b"\x08\0\0\0" + rest + order.payload)
    message[2:4] = checksum(bytes(message))

    def mine(data: bytes) -> bytes | None:
        body = data[(data[0] & 15) * 4 :]
        return body[8:] if body[:1] == b"\0" and body[4:8] == rest else None

    return sock, _send_and_wait(sock, order, bytes(message), patience, mine)


SENDERS: dict[str, Sender] = {"tcp": tcp, "udp": udp, "icmp": icmp}


def _options(sock: socket.socket, order: Order, discover: int) -> None:
    sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
    if sock.type != socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    if order.ttl is not None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, order.ttl)


def _send_and_wait(
    sock: socket.socket, order: Order, message: bytes, patience: float,
    mine: Callable[[bytes], bytes | None],
) -> Seen:  # fmt: skip
    try:
        sock.sendto(message, (order.dst, order.port))
    except OSError as error:
        return _queued(sock) or Seen(_of_errno(error.errno), f"not sent: {error.strerror}")
    end = time.monotonic() + patience
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while (left := end - time.monotonic()) > 0:
        for _, events in poll.poll(left * 1000):
            if events & select.POLLERR and (seen := _queued(sock)) is not None:
                return seen
            if events & select.POLLIN:
                try:
                    data = sock.recv(65536)
                except OSError as error:  # the ICMP error came first as data, then as an error
                    return _queued(sock) or Seen(_of_errno(error.errno), f"{error.strerror}")
                answer = mine(data)
                if answer is not None:
                    return Seen(frozenset({"delivered"}), "an answer came back", answer)
    return Seen(_SILENCE, "nobody answered")


def _queued(sock: socket.socket) -> Seen | None:
    """The error that waits in the socket's queue (ip(7), IP_RECVERR)."""
    try:
        _, extra, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return None
    for _, kind, data in extra:
        if kind == _IP_RECVERR:
            number, origin, what, code, _, info = struct.unpack_from("=IBBBBI", data)
            if origin == _FROM_ICMP:
                words = f"ICMP type {what} code {code}" + (f", MTU {info}" if info else "")
                return Seen(_MEANS.get((what, code), frozenset({"unreachable"})), words)
            return Seen(_of_errno(number), f"a local error: {errno.errorcode.get(number, number)}")
    return None


def _of_errno(number: int | None) -> frozenset[str]:
    if number == errno.ECONNREFUSED:
        return frozenset({"refused", "rejected"})
    if number == errno.EMSGSIZE:
        return frozenset({"too-big"})
    if number in (errno.ETIMEDOUT, errno.EAGAIN):
        return _SILENCE
    if number == errno.EPERM:
        return frozenset({"dropped"})  # OUTPUT threw it away; the sender is told at once
    # TCP turns TTL exceeded and every kind of prohibition into "no route to host".
    return frozenset({"unreachable", "rejected", "ttl-exceeded"})
