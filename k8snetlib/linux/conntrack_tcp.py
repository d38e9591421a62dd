"""What lives here: TCP as conntrack sees it: from the middle, without sockets.

A table says which state follows a segment, by direction; a combination of flags that no sender
means, or a segment that fits no state, makes the packet INVALID. Some segments are let through and
change nothing (IGNORE): a SYN in an open connection may be a forgery, and the answer will tell.

What may not live here: tuples, time (see ``conntrack``).

Simplified here: windows and sequence numbers are not looked at (as with
nf_conntrack_tcp_be_liberal). Source: nf_conntrack_proto_tcp.c.
"""

from __future__ import annotations

from k8snetlib.packet import ACK, FIN, PSH, RST, SYN, URG

INVALID, IGNORE = "INVALID", "IGNORE"

#: Flags without PSH that a segment may have.
_SENSIBLE = frozenset(
    (SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG)
)

_STATES = (
    "", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
    "CLOSE", "SYN_SENT2",
)  # fmt: skip
_SHORT = dict(zip(("SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL", "S2"), _STATES[1:], strict=True))
_SHORT |= {"--": INVALID, "..": IGNORE}

#: (in reply direction?, kind of segment) -> the state that follows each of ``_STATES``.
_TABLE = {
    key: dict(zip(_STATES, (_SHORT[word] for word in row.split()), strict=True))
    for key, row in {
        #                    new SS SR ES FW CW LA TW CL S2
        (False, "syn"):     "SS SS .. .. .. .. .. SS SS S2",
        (False, "syn/ack"): "-- -- SR -- -- -- -- -- -- SR",
        (False, "fin"):     "-- -- FW FW LA LA LA TW CL --",
        (False, "ack"):     "ES -- ES ES CW CW TW TW CL --",
        (False, "rst"):     "-- CL CL CL CL CL CL CL CL CL",
        (True, "syn"):      "-- S2 -- -- -- -- -- SS -- S2",
        (True, "syn/ack"):  "-- SR .. .. .. .. .. .. .. SR",
        (True, "fin"):      "-- -- FW FW LA LA LA TW CL --",
        (True, "ack"):      "-- .. SR ES CW CW TW TW CL ..",
        (True, "rst"):      "-- CL CL CL CL CL CL CL CL CL",
    }.items()
}  # fmt: skip


def kind_of(flags: int) -> str:
    """What a segment is to conntrack: rst, syn/ack, syn, fin or ack."""
    if flags & RST:
        return "rst"
    if flags & SYN:
        return "syn/ack" if flags & ACK else "syn"
    return "fin" if flags & FIN else "ack"


def following(state: str, flags: int, *, reply: bool) -> str:
    """The state after a segment ("" before: a new connection), ``INVALID`` or ``IGNORE``."""
    if flags & ~PSH not in _SENSIBLE:
        return INVALID
    return _TABLE[reply, kind_of(flags)][state]
