"""What lives here: DNS messages, as bytes and as values.

A message is a header, a question, and records in three sections. Names in it end with a dot, as dig
writes them. A name that stood before is written as a pointer to it (RFC 1035 §4.1.4), which is why
an answer with one address is only 16 bytes longer than its question.

What may not live here: who answers what (see ``kube.dns``), and who asks (``linux.resolver``).

Simplified here: one question; of record types those of ``TYPES``; of EDNS (RFC 6891) the size and
the cookie. Source: RFC 1035, RFC 3596.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from k8snetlib.address import ip_text, number
from k8snetlib.errors import BadPacket

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "ANY": 255}  # fmt: skip
_NAMES = {code: name for name, code in TYPES.items()}
_IN, _OPT, _COOKIE = 1, 41, 10

#: Bits of the header: an answer, authoritative, truncated, recursion desired and available.
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
#: Response codes.
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_SOA = struct.Struct("!IIIII")


class Question(NamedTuple):
    """What is asked for: a name with its last dot, and a type (``A``)."""

    name: str
    type: str


class Record(NamedTuple):
    """One record; ``ttl`` in seconds. ``data`` is an address (A), a name (CNAME, NS, PTR), or two
    names and five numbers (SOA), as dig prints them."""

    name: str
    type: str
    ttl: int
    data: str


class Edns(NamedTuple):
    """What EDNS adds: how many bytes of UDP the asker takes, and a cookie."""

    size: int
    cookie: bytes = b""


class Message(NamedTuple):
    """A query or an answer; ``flags`` are the header's second field, with the response code."""

    id: int
    flags: int
    question: Question
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    edns: Edns | None = None

    @property
    def rcode(self) -> int:
        """The response code."""
        return self.flags & 0xF


# -- to bytes -------------------------------------------------------------------------------------


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    counts = 1, len(message.answers), len(message.authority), 1 if message.edns else 0
    out = bytearray(_HEADER.pack(message.id, message.flags, *counts))
    seen: dict[str, int] = {}
    _write_name(out, message.question.name, seen)
    out += struct.pack("!HH", TYPES[message.question.type], _IN)
    for record in (*message.answers, *message.authority):
        _write_record(out, record, seen)
    if message.edns is not None:
        cookie = message.edns.cookie
        option = struct.pack("!HH", _COOKIE, len(cookie)) + cookie if cookie else b""
        out += b"\0" + _RECORD.pack(_OPT, message.edns.size, 0, len(option)) + option
    return bytes(out)


def _write_name(out: bytearray, name: str, seen: dict[str, int]) -> None:
    rest = name.rstrip(".").lower()
    while rest:
        if rest in seen:
            out += struct.pack("!H", 0xC000 | seen[rest])
            return
        if len(out) < 0x4000:
            seen[rest] = len(out)
        label, _, rest = rest.partition(".")
        if not 0 < len(label) < 64:
            raise BadPacket(f"'{name}' is no name: a label has 1 to 63 characters.")
        out.append(len(label))
        out += label.encode("ascii", "replace")
    out.append(0)


def _write_record(out: bytearray, record: Record, seen: dict[str, int]) -> None:
    _write_name(out, record.name, seen)
    out += _RECORD.pack(TYPES[record.type], _IN, record.ttl, 0)
    start = len(out)
    if record.type == "A":
        out += number(record.data).to_bytes(4, "big")
    elif record.type == "SOA":
        mname, rname, *numbers = record.data.split()
        _write_name(out, mname, seen)
        _write_name(out, rname, seen)
        out += _SOA.pack(*map(int, numbers))
    else:
        _write_name(out, record.data, seen)
    out[start - 2 : start] = struct.pack("!H", len(out) - start)


# -- from bytes -----------------------------------------------------------------------------------


def decode(data: bytes) -> Message:
    """A message from its bytes; raises ``BadPacket`` for what is none, or is not modelled."""
    try:
        return _Reader(data).message()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise BadPacket("These bytes are no DNS message that is modelled here.") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def message(self) -> Message:
        ident, flags, asked, *counts = _HEADER.unpack_from(self.data)
        self.at = _HEADER.size
        if asked != 1:
            raise IndexError(asked)
        name = self.name()
        code, _ = struct.unpack_from("!HH", self.data, self.at)
        self.at += 4
        edns: Edns | None = None
        sections: list[tuple[Record, ...]] = []
        for count in counts:
            records = []
            for _ in range(count):
                found = self.record()
                if isinstance(found, Edns):
                    edns = found
                else:
                    records.append(found)
            sections.append(tuple(records))
        question = Question(name, _NAMES[code])
        return Message(ident, flags, question, sections[0], sections[1], edns)

    def name(self) -> str:
        labels, at, jumped, left = [], self.at, False, 128
        while length := self.data[at]:
            left -= 1
            if length >= 0xC0:
                pointer = struct.unpack_from("!H", self.data, at)[0] & 0x3FFF
                if not jumped:
                    self.at, jumped = at + 2, True
                at = pointer
            else:
                labels.append(self.data[at + 1 : at + 1 + length].decode("ascii"))
                at += 1 + length
            if not left:
                raise IndexError("pointers that go round in circles")
        if not jumped:
            self.at = at + 1
        return ".".join(labels) + "."

    def record(self) -> Record | Edns:
        name = self.name()
        code, size, ttl, length = _RECORD.unpack_from(self.data, self.at)
        self.at += _RECORD.size
        end = self.at + length
        if code == _OPT:
            cookie = b""
            if length >= 4 and struct.unpack_from("!H", self.data, self.at)[0] == _COOKIE:
                cookie = self.data[self.at + 4 : end]
            self.at = end
            return Edns(size, cookie)
        kind = _NAMES[code]
        data = self._data(kind)
        self.at = end
        return Record(name, kind, ttl, data)

    def _data(self, kind: str) -> str:
        if kind == "A":
            return ip_text(int.from_bytes(self.data[self.at : self.at + 4], "big"))
        if kind == "SOA":
            names = f"{self.name()} {self.name()}"
            return " ".join([names, *map(str, _SOA.unpack_from(self.data, self.at))])
        return self.name()
