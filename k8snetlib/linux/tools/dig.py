"""What lives here: ``dig``: asks a DNS server, and prints its answer as dig 9.18 does.

    dig [@SERVER] [-p PORT] [-x ADDRESS] NAME [TYPE] [+short] [+search] [+noall +answer] …

It asks for the name as it stands (``+search`` tries the search list of ``/etc/resolv.conf``), the
first server of that file or the one behind ``@``, three times, five seconds each.

Simplified here: one query a command; of the switches those in ``_SWITCHES``. Source: dig(1), its
dighost.c, and dns_master styles for the columns; compared with the real dig in tests/linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux.clock import journal_time, month_and_day, time_of_day
from k8snetlib.linux.resolver import (
    NET_UNREACHABLE,
    Config,
    Reply,
    ask,
    candidates,
    read_config,
    resolve,
    reverse,
)
from k8snetlib.linux.tools.words import Words, number_of
from k8snetlib.wire.dns import (
    AA,
    AD,
    CD,
    NXDOMAIN,
    QR,
    RA,
    RCODES,
    RD,
    TC,
    TYPES,
    Edns,
    Question,
    Record,
)

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

VERSION = "9.18.49-1~deb12u3-Debian"
TRIES, TIMEOUT, UDP_SIZE = 3, 5.0, 1232
_FLAGS = ((QR, "qr"), (AA, "aa"), (TC, "tc"), (RD, "rd"), (RA, "ra"), (AD, "ad"), (CD, "cd"))
_SECTIONS = ("cmd", "comments", "question", "answer", "authority", "additional", "stats")
_SWITCHES = (*_SECTIONS, "all", "short", "search", "recurse", "cookie", "edns")
_NOBODY = ";; no servers could be reached"
_HERE = "dig [@SERVER] [-p PORT] [-x ADDRESS] NAME [TYPE] [+short] [+search] [+time=S] [+tries=N]"
_DAYS = ("Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri")  # 1 January 2000 was a Saturday


class Options(NamedTuple):
    """What was asked for; ``on`` are the switches that are on, ``timeout`` in seconds."""

    name: str
    type: str
    server: str
    port: int
    on: frozenset[str]
    timeout: float
    tries: int
    typed: str


def run(ns: Netns, words: list[str]) -> str:
    """``dig [@SERVER] NAME [TYPE] [+SWITCH …]``"""
    if words == ["-v"]:
        return f"DiG {VERSION}"
    options, config = _options(words), read_config(ns)
    server = options.server
    if server and not is_ip(server):
        found = resolve(ns, server)
        if not found.ip:
            return f"dig: couldn't get address for '{server}': {_why(found.problem)}"
        server = found.ip
    servers = (server,) if server else config.servers
    reply, server, complaints = query(ns, servers, _names(options, config), options)
    short = "short" in options.on
    head = [] if short or "cmd" not in options.on else _greeting(options)
    if complaints and complaints[-1] == _NOBODY:
        return "\n".join(complaints)
    if reply.message is None:
        return "\n".join([*complaints, *head, _NOBODY])
    if short:
        return "\n".join(record.data for record in reply.message.answers)
    body = [*_sections(reply, options), *_stats(ns, reply, server, options)]
    return "\n".join([*complaints, *head, *body])


def _why(problem: str) -> str:
    return "not found" if problem.startswith("Name") else "failure"


def _options(words: list[str]) -> Options:
    line = Words(words)
    on = {*_SECTIONS, "recurse", "cookie", "edns"}
    name = kind = server = ""
    port, timeout, tries = 53, TIMEOUT, TRIES
    while line:
        word = line.next()
        if word.startswith("@"):
            server = word[1:]
        elif word.startswith("+"):
            switch, _, value = word[1:].partition("=")
            if switch in ("time", "timeout", "tries", "retry"):
                count = number_of(value, switch)
                timeout = max(1.0, float(count)) if switch in ("time", "timeout") else timeout
                tries = max(1, count + (switch == "retry")) if "tr" in switch else tries
            else:
                _switch(on, switch)
        elif word in ("-p", "-t", "-q", "-x"):
            value = line.value(word)
            port = number_of(value, "port") if word == "-p" else port
            kind = value.upper() if word == "-t" else "PTR" if word == "-x" else kind
            name = value if word == "-q" else reverse(value) if word == "-x" else name
        elif word in ("-4", "IN", "in"):
            continue
        elif word.startswith("-"):
            raise BadCommand(f"dig: '{word}' is not modelled.", f"Here: {_HERE}.")
        elif word.upper() in TYPES and (name or "." not in word):
            kind = word.upper()
        elif name:
            raise BadCommand("dig: one name a command.", f"Here: {_HERE}.")
        else:
            name = word
    if not name:
        raise BadCommand("dig without a name asks for the root servers, which are not here.", _HERE)
    if kind and kind not in TYPES:
        raise BadCommand(f";; Warning, ignoring invalid type {kind}", f"Here: {', '.join(TYPES)}.")
    typed = " ".join(words)
    return Options(name, kind or "A", server, port, frozenset(on), timeout, tries, typed)


def _switch(on: set[str], word: str) -> None:
    off = word.startswith("no") and word not in _SWITCHES
    name = word[2:] if off else word
    if name not in _SWITCHES:
        raise BadCommand(f"Invalid option: +{word}", f"Here: +{', +'.join(_SWITCHES)}.")
    names = _SECTIONS if name == "all" else (name,)
    if off:
        on.difference_update(names)
    else:
        on.update(names)


def _names(options: Options, config: Config) -> list[str]:
    if "search" in options.on:
        return candidates(options.name, config.search, config.ndots)
    return [f"{options.name.rstrip('.')}."]


def query(
    ns: Netns, servers: tuple[str, ...], names: list[str], options: Options
) -> tuple[Reply, str, list[str]]:
    """The answer for the first of the names that exists, or else for the last; who gave it; and the
    lines about what went wrong before. ``check-ra`` among the switches: servers that do not recurse
    get one too."""
    assert ns.network is not None
    flags = (RD if "recurse" in options.on else 0) | (AD if "edns" in options.on else 0)
    edns, complaints = None, list[str]()
    if "edns" in options.on:
        cookie = ns.network.random.randbytes(8) if "cookie" in options.on else b""
        edns = Edns(UDP_SIZE, cookie)
    for name in names:
        for n in range(options.tries * len(servers)):
            server = servers[n % len(servers)]
            reply = ask(
                ns, server, Question(name, options.type), port=options.port,
                timeout=options.timeout, flags=flags, edns=edns, icmp=False,
            )  # fmt: skip
            if reply.message is not None:
                if "check-ra" in options.on and not reply.message.flags & RA:
                    complaints.append(f";; Got recursion not available from {server}")
                break
            complaints += _complaint(server, name, reply, options)
        if reply.message is None or reply.message.rcode != NXDOMAIN:
            break
    return reply, server, complaints


def _complaint(server: str, name: str, reply: Reply, options: Options) -> list[str]:
    problem, packets = reply.problem, reply.exchange.packets
    where = f"{server}#{options.port}"
    if problem != NET_UNREACHABLE or packets:
        return [f";; communications error to {where}: {problem}"]
    typed = f"{where}({options.server or server}) for {name.rstrip('.')}"
    return [f";; UDP setup with {typed} failed: {problem}.", _NOBODY]


# -- what is printed ------------------------------------------------------------------------------


def _greeting(options: Options) -> list[str]:
    found = ["; (1 server found)"] if options.server else []
    return ["", f"; <<>> DiG {VERSION} <<>> {options.typed}", *found, ";; global options: +cmd"]


def _sections(reply: Reply, options: Options) -> list[str]:
    message = reply.message
    assert message is not None
    lines: list[str] = []
    comments = "comments" in options.on
    if comments:
        lines = [";; Got answer:", *_warnings(message.question.name)]
        names = " ".join(name for bit, name in _FLAGS if message.flags & bit)
        counts = len(message.answers), len(message.authority), 1 if message.edns else 0
        lines += [
            f";; ->>HEADER<<- opcode: QUERY, status: {RCODES[message.rcode]}, id: {message.id}",
            f";; flags: {names}; QUERY: 1, ANSWER: {counts[0]}, AUTHORITY: {counts[1]}, "
            f"ADDITIONAL: {counts[2]}",
        ]
        if message.flags & RD and not message.flags & RA:
            lines.append(";; WARNING: recursion requested but not available")
        lines.append("")
    if message.edns is not None and comments:
        lines += [";; OPT PSEUDOSECTION:", f"; EDNS: version: 0, flags:; udp: {message.edns.size}"]
        if message.edns.cookie:
            lines.append(f"; COOKIE: {message.edns.cookie.hex()} (echoed)")
    asked = message.question
    blocks = {
        "question": [";" + _columns((asked.name, 0), ("IN", 32), (asked.type, 40))],
        "answer": [_record(record) for record in message.answers],
        "authority": [_record(record) for record in message.authority],
    }
    for name, block in blocks.items():
        if block and name in options.on:
            title, end = ([f";; {name.upper()} SECTION:"], [""]) if comments else ([], [])
            lines += [*title, *block, *end]
    return lines


def _warnings(name: str) -> list[str]:
    if not name.endswith(".local."):
        return []
    return [
        ";; WARNING: .local is reserved for Multicast DNS",
        ";; You are currently testing what happens when an mDNS query is leaked to DNS",
    ]


def _record(record: Record) -> str:
    return _columns(
        (record.name, 0), (str(record.ttl), 24), ("IN", 32), (record.type, 40), (record.data, 48)
    )


def _columns(*parts: tuple[str, int]) -> str:
    """Words that begin at columns, by tabs as far as they reach (dns_master styles)."""
    text, at = "", 0
    for word, column in parts:
        if text:
            to = max(column, at + 1)
            tabs = to // 8 - at // 8
            text += "\t" * tabs + " " * (to % 8 if tabs else to - at)
            at = to
        text += word
        at += len(word)
    return text


def _stats(ns: Netns, reply: Reply, server: str, options: Options) -> list[str]:
    if "stats" not in options.on or ns.network is None:
        return []
    now = ns.network.now
    month = journal_time(now)[:3]
    when = f"{_DAYS[int(now // 86400) % 7]} {month} {month_and_day(now)[1]:02} {time_of_day(now)}"
    return [
        f";; Query time: {round(reply.exchange.elapsed * 1000)} msec",
        f";; SERVER: {server}#{options.port}({options.server or server}) (UDP)",
        f";; WHEN: {when} UTC 2000",
        f";; MSG SIZE  rcvd: {reply.size}",
        "",
        "",
    ]
