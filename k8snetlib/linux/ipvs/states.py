"""What lives here: the states of a TCP connection as IPVS follows them, and how long each lasts.

IPVS sees both directions, but reads nothing except four flags of each segment. A connection that
nobody used for its state's time is forgotten, whatever its two ends still think of it.

Source: ip_vs_proto_tcp.c (tcp_states, tcp_timeouts), ip_vs_proto_udp.c.
"""

from __future__ import annotations

from collections.abc import Mapping

from k8snetlib.packet import ACK, FIN, RST, SYN

#: state -> seconds until an idle connection is forgotten.
TIMEOUTS: Mapping[str, float] = {
    "NONE": 2.0, "ESTABLISHED": 900.0, "SYN_SENT": 120.0, "SYN_RECV": 60.0, "FIN_WAIT": 120.0,
    "TIME_WAIT": 120.0, "CLOSE": 10.0, "CLOSE_WAIT": 60.0, "LAST_ACK": 30.0, "LISTEN": 120.0,
    "SYNACK": 120.0, "UDP": 300.0,
}  # fmt: skip

_COLUMNS = ("NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE",
            "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK")  # fmt: skip
_SHORT = dict(zip(("NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"), _COLUMNS,
                  strict=True))  # fmt: skip

#: (comes from the client, kind of segment) -> the next state for each state.
_TABLE = {
    (True, "syn"): "SR ES ES SR SR SR SR SR SR SR SR",
    (True, "fin"): "CL CW SS TW TW TW CL CW LA LI TW",
    (True, "ack"): "ES ES SS ES FW TW CL CW CL LI ES",
    (True, "rst"): "CL CL CL SR CL CL CL CL LA LI SR",
    (False, "syn"): "SS ES SS SR SS SS SS SS SS LI SR",
    (False, "fin"): "TW FW SS TW FW TW CL TW LA LI TW",
    (False, "ack"): "ES ES SS ES FW TW CL CW LA ES ES",
    (False, "rst"): "CL CL SS CL CL TW CL CL CL CL CL",
}
_NEXT = {
    (towards, kind, state): _SHORT[word]
    for (towards, kind), row in _TABLE.items()
    for state, word in zip(_COLUMNS, row.split(), strict=True)
}


def following(state: str, flags: int, *, from_client: bool) -> str:
    """The state after a segment with these flags.

    >>> following("NONE", SYN, from_client=True)
    'SYN_RECV'
    """
    for bit, kind in ((RST, "rst"), (SYN, "syn"), (FIN, "fin"), (ACK, "ack")):
        if flags & bit:
            return _NEXT[from_client, kind, state]
    return state
