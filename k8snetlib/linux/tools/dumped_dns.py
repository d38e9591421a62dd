"""What lives here: a DNS message as tcpdump prints it behind the addresses.

    1234+ A? backend-svc.default.svc.cluster.local. (55)
    1234*- 1/0/0 A 10.96.0.10 (71)

Source: tcpdump 4.99's print-domain.c; compared in tests/linux/test_dns.py.
"""

from __future__ import annotations

from k8snetlib.errors import BadPacket
from k8snetlib.wire.dns import AA, AD, CD, QR, RA, RD, TC, decode

PORT = 53
_RCODES = ("", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused")


def dumped(data: bytes) -> str | None:
    """The text of a message; None for bytes that are none."""
    try:
        message = decode(data)
    except BadPacket:
        return None
    flags, question = message.flags, message.question
    if not flags & QR:
        marks = "+" * bool(flags & RD) + "%" * bool(flags & CD)
        extra = " [1au]" if message.edns else ""
        return f"{message.id}{marks}{extra} {question.type}? {question.name} ({len(data)})"
    marks = "*" * bool(flags & AA) + "-" * (not flags & RA) + "|" * bool(flags & TC)
    marks += "$" * bool(flags & AD)
    counts = f"{len(message.answers)}/{len(message.authority)}/{1 if message.edns else 0}"
    answers = ", ".join(f"{record.type} {record.data}" for record in message.answers)
    rcode = _RCODES[message.rcode]
    return f"{message.id}{rcode}{marks} {counts} {answers}{' ' if answers else ''}({len(data)})"
