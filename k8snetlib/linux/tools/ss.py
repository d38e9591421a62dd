"""What lives here: ``ss``: who listens, and who is connected.

``ss -lntup`` is what people type: listening, numeric, TCP, UDP, with processes.

Simplified here: process numbers and file descriptors are counted, not real; no UNIX sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadCommand
from k8snetlib.linux.tools.services import service_name

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_LONG = {"--listening": "l", "--numeric": "n", "--tcp": "t", "--udp": "u", "--processes": "p",
         "--all": "a", "--ipv4": "4", "--no-header": "H"}  # fmt: skip
_LETTERS = "lntupa4H"

_STATES = {"ESTABLISHED": "ESTAB"}
_HEADER = ("Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port",
           "Process")  # fmt: skip
#: Columns that are pushed to the right, and those that stick to the one before.
_RIGHT, _STICKY = {4, 6}, {0, 5, 7, 8}


class Row(NamedTuple):
    """One socket as a line."""

    proto: str
    state: str
    backlog: int
    ip: str
    port: int
    peer: str
    peer_port: int
    process: str


def run(ns: Netns, words: list[str]) -> str:
    """``ss [-l | -a] [-n] [-t] [-u] [-p] [-4] [-H]``"""
    options = _options(words)
    both = not options & {"t", "u"}
    protos = [p for p, letter in (("udp", "u"), ("tcp", "t")) if both or letter in options]
    rows = [row for proto in protos for row in _sockets(ns, proto, options)]
    cells = [_cells(ns, row, options) for row in rows]
    if "H" not in options:
        cells.insert(0, _HEADER)
    if not cells:
        return ""
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEADER))]
    # One protocol alone needs no column for its name.
    first = 0 if len(protos) > 1 else 1
    return "\n".join(_line(line, widths, first) for line in cells)


def _options(words: list[str]) -> set[str]:
    letters: set[str] = set()
    for word in words:
        if word in _LONG:
            letters.add(_LONG[word])
        elif word.startswith("-") and not word.startswith("--") and set(word[1:]) <= set(_LETTERS):
            letters |= set(word[1:])
        else:
            raise BadCommand(f"ss: '{word}' is not modelled.",
                             "Here: -l, -a, -n, -t, -u, -p, -4, -H.")  # fmt: skip
    return letters


def _sockets(ns: Netns, proto: str, options: set[str]) -> list[Row]:
    rows = []
    if options & {"l", "a"}:
        state, backlog = ("LISTEN", 4096) if proto == "tcp" else ("UNCONN", 0)
        for listener in ns.listeners.values():
            if listener.proto == proto:
                at = (listener.ip, listener.port, "0.0.0.0", 0, listener.process)
                rows.append(Row(proto, state, backlog, *at))
    if proto == "tcp" and "l" not in options:
        for socket in ns.tcp.values():
            state = _STATES.get(socket.state, socket.state)
            at = (socket.ip, socket.port, socket.peer, socket.peer_port, socket.process)
            rows.append(Row(proto, state, 0, *at))
    return rows


def _cells(ns: Netns, row: Row, options: set[str]) -> tuple[str, ...]:
    def port(number: int) -> str:
        text = str(number) if number else "*"
        return text if "n" in options else service_name(number, row.proto)

    who = ""
    if "p" in options and row.process:
        pid, fd = _process_number(ns, row)
        who = f' users:(("{row.process}",pid={pid},fd={fd}))'
    queue = str(row.backlog)
    return (row.proto, row.state, "0", queue, f"{row.ip}:", port(row.port), f"{row.peer}:",
            port(row.peer_port), who)  # fmt: skip


def _process_number(ns: Netns, row: Row) -> tuple[int, int]:
    """A process's place among those of this namespace, and the socket's among the process's."""
    owners = list(dict.fromkeys(listener.process for listener in ns.listeners.values()))
    pid = owners.index(row.process) + 1 if row.process in owners else len(owners) + 1
    own = [(li.proto, li.ip, li.port) for li in ns.listeners.values() if li.process == row.process]
    key = (row.proto, row.ip, row.port)
    return pid, 3 + (own.index(key) if key in own else len(own))


def _line(cells: tuple[str, ...], widths: list[int], first: int) -> str:
    text = ""
    for at in range(first, len(cells)):
        cell = cells[at].rjust(widths[at]) if at in _RIGHT else cells[at].ljust(widths[at])
        text += cell if at in _STICKY or at == first else f" {cell}"
    return text
