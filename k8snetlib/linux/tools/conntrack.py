"""What lives here: ``conntrack``: the table of connections, listed and emptied.

What the real tool says on standard error (how many entries were shown) is left out.

Simplified here: listed are the oldest connections first, where the kernel's order comes from a
hash; no events (``-E``), no statistics (``-S``), no entries made by hand (``-I``, ``-U``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux.conntrack import Connection, Tuple
from k8snetlib.linux.tools.words import Words
from k8snetlib.packet import PROTO_ICMP, PROTO_NAMES, PROTO_TCP, PROTO_UDP

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_SAYS = "conntrack v1.4.7 (conntrack-tools): "
_COMMANDS = {"-L": "L", "--dump": "L", "-D": "D", "--delete": "D", "-F": "F", "--flush": "F",
             "-C": "C", "--count": "C"}  # fmt: skip
_REAL = {"-G", "-I", "-U", "-E", "-S", "-A", "-R"}
_PROTO = {name: number for number, name in PROTO_NAMES.items()}

#: An option -> the field of a connection it looks at.
_FILTERS = {
    "-s": "orig-src", "--src": "orig-src", "--orig-src": "orig-src",
    "-d": "orig-dst", "--dst": "orig-dst", "--orig-dst": "orig-dst",
    "-r": "reply-src", "--reply-src": "reply-src",
    "-q": "reply-dst", "--reply-dst": "reply-dst",
    "-p": "proto", "--proto": "proto", "--protonum": "proto",
    "--sport": "sport", "--orig-port-src": "sport",
    "--dport": "dport", "--orig-port-dst": "dport",
    "--reply-port-src": "reply-sport", "--reply-port-dst": "reply-dport",
    "--state": "state", "-m": "mark", "--mark": "mark", "-u": "status", "--status": "status",
}  # fmt: skip
_NAT = {"-n": "n", "--src-nat": "n", "-g": "g", "--dst-nat": "g", "-j": "j", "--any-nat": "j"}
_HERE = (
    "-L, -D, -F, -C; -p, -s, -d, -r, -q, --sport, --dport, --state, -n, -g, -j, -u, -m, -o extended"
)


def run(ns: Netns, words: list[str]) -> str:
    """``conntrack { -L | -D | -F | -C } [-p PROTO] [-s IP] [-d IP] [--dport N] … [-o extended]``"""
    line = Words(words)
    command, extended = "", False
    wanted: dict[str, str] = {}
    while line:
        word = line.next()
        name, assign, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _COMMANDS:
            command = command or _COMMANDS[name]
        elif name in _FILTERS:
            wanted[_FILTERS[name]] = value if assign else _value(line, name)
        elif name in _NAT:
            wanted["nat " + _NAT[name]] = ""
        elif name in ("-f", "--family", "-o", "--output"):
            value = value if assign else _value(line, name)
            extended = extended or (name in ("-o", "--output") and "extended" in value.split(","))
        elif name not in ("conntrack", "conntrack-table"):
            raise _unknown(name)
    if not command:
        raise BadCommand("Usage: conntrack [commands] [options]", f"Here: {_HERE}.")
    _check(wanted)
    now = ns.network.now if ns.network else 0.0
    table = ns.conntrack
    chosen = [conn for conn in table.connections(now) if _fits(conn, wanted)]
    if command == "C":
        return str(len(table))
    if command in "DF":
        for conn in chosen if command == "D" else table.connections(now):
            table.remove(conn)
    return "" if command == "F" else "\n".join(_entry(conn, now, extended) for conn in chosen)


def _value(line: Words, option: str) -> str:
    if not line:
        raise BadCommand(f"{_SAYS}option `{option}' requires an argument")
    return line.next()


def _unknown(name: str) -> BadCommand:
    if name in _REAL:
        return BadCommand(f"'conntrack {name}' is not modelled.", f"Here: {_HERE}.")
    return BadCommand(f"{_SAYS}unknown option `{name}'", f"Here: {_HERE}.")


def _check(wanted: dict[str, str]) -> None:
    proto = wanted.get("proto", "tcp")
    if proto not in _PROTO and not proto.isdigit():
        raise BadCommand(f"{_SAYS}`{proto}' unsupported protocol", "tcp, udp or icmp.")
    for key in ("orig-src", "orig-dst", "reply-src", "reply-dst"):
        if key in wanted and not is_ip(wanted[key]):
            raise BadCommand(f"{_SAYS}Invalid IP address `{wanted[key]}'", "e.g. 10.1.15.2")
    if "proto" not in wanted and wanted.keys() & {"sport", "dport", "state"}:
        raise BadCommand(f"{_SAYS}unknown option `--sport', `--dport' or `--state'",
                         "They belong to a protocol: first -p tcp or -p udp.")  # fmt: skip


def _fits(conn: Connection, wanted: dict[str, str]) -> bool:
    original, reply = conn.original, conn.reply
    has = {
        "orig-src": original.src, "orig-dst": original.dst, "reply-src": reply.src,
        "reply-dst": reply.dst, "proto": PROTO_NAMES.get(original.proto, str(original.proto)),
        "sport": str(original.sport), "dport": str(original.dport), "state": conn.state,
        "reply-sport": str(reply.sport), "reply-dport": str(reply.dport),
    }  # fmt: skip
    for key, value in wanted.items():
        if key == "status":
            if not set(value.upper().split(",")) <= _status(conn):
                return False
        elif key == "mark":
            if int(value.partition("/")[0], 0) != conn.mark:
                return False
        elif key.startswith("nat "):
            if not {"n": conn.snat, "g": conn.dnat, "j": conn.snat or conn.dnat}[key[4:]]:
                return False
        elif key == "proto" and value.isdigit():
            if int(value) != original.proto:
                return False
        elif has[key] != value:
            return False
    return True


def _status(conn: Connection) -> set[str]:
    words = {word for word in conn.status_words() if word != "NONE"}
    return words | {"UNREPLIED"} if not conn.seen_reply else words


def _entry(conn: Connection, now: float, extended: bool) -> str:
    original, reply = conn.original, conn.reply
    proto = PROTO_NAMES.get(original.proto, "unknown")
    state = f"{conn.state} " if original.proto == PROTO_TCP else ""
    unreplied = "" if conn.seen_reply else "[UNREPLIED] "
    assured = "[ASSURED] " if conn.assured else ""
    return (
        f"{'ipv4     2 ' if extended else ''}{proto:8} {original.proto} "
        f"{max(0, int(conn.expires - now))} {state}{_tuple(original)}{unreplied}"
        f"{_tuple(reply)}{assured}mark={conn.mark} use=1"
    )


def _tuple(t: Tuple) -> str:
    ends = f"src={t.src} dst={t.dst} "
    if t.proto == PROTO_ICMP:
        return f"{ends}type={t.dport} code=0 id={t.sport} "
    return ends + (f"sport={t.sport} dport={t.dport} " if t.proto in (PROTO_TCP, PROTO_UDP) else "")
