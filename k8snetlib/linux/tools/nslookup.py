"""What lives here: ``nslookup``: asks a DNS server for a name, as nslookup 9.18 does.

    nslookup [-type=TYPE] NAME [SERVER]

Unlike ``dig`` it tries the search list of ``/etc/resolv.conf`` behind the name.

Simplified here: no prompt of its own; the name behind a CNAME is not asked for. Compared with the
real one in tests/linux/test_dns.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux.resolver import candidates, read_config, resolve, reverse
from k8snetlib.linux.tools import dig
from k8snetlib.wire.dns import NOERROR, RCODES, TYPES, Message

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_HERE = "nslookup [-type=A|CNAME|PTR|…] NAME [SERVER]"


def run(ns: Netns, words: list[str]) -> str:
    """``nslookup [-type=TYPE] NAME [SERVER]``"""
    kind, plain = "", list[str]()
    for word in words:
        option, _, value = word.partition("=")
        if option in ("-type", "-querytype", "-q") and value.upper() in TYPES:
            kind = value.upper()
        elif word.startswith("-"):
            raise BadCommand(f"nslookup: '{word}' is not modelled.", f"Here: {_HERE}.")
        else:
            plain.append(word)
    if not 1 <= len(plain) <= 2:
        raise BadCommand("nslookup has no prompt of its own here.", f"Here: {_HERE}.")
    config, given = read_config(ns), plain[1] if len(plain) == 2 else ""
    servers, name, on = config.servers, plain[0], {"recurse"}
    if given:
        found = resolve(ns, given)
        if not found.ip:
            return f"nslookup: couldn't get address for '{given}': not found"
        servers = (found.ip,)
    else:
        on.add("check-ra")
    names = candidates(name, config.search, config.ndots)
    if is_ip(name):
        names, kind = [reverse(name)], "PTR"
    options = dig.Options(
        name, kind or "A", given, 53, frozenset(on), dig.TIMEOUT, dig.TRIES, " ".join(words)
    )
    reply, server, complaints = dig.query(ns, servers, names, options)
    if reply.message is None:
        return "\n".join([*complaints, ";; no servers could be reached", "", ""])
    lines = [*complaints, *_answer(reply.message, name, given or server, server)]
    if not kind and reply.message.rcode == NOERROR:
        full = reply.message.question.name
        lines += dig.query(ns, servers, [full], options._replace(type="AAAA"))[2]
    return "\n".join([*lines, "", ""])


def _answer(message: Message, typed: str, server: str, ip: str) -> list[str]:
    head = [f"Server:\t\t{server}", f"Address:\t{ip}#53", ""]
    if message.question.type == "PTR":
        head = []
    name = message.question.name.rstrip(".")
    if message.rcode != NOERROR:
        return [*head, f"** server can't find {name}: {RCODES[message.rcode]}"]
    if not message.answers:
        return [*head, f"*** Can't find {typed}: No answer"]
    lines: list[str] = []
    for record in message.answers:
        owner = record.name.rstrip(".")
        if record.type == "A":
            lines += [f"Name:\t{owner}", f"Address: {record.data}"]
        else:
            word = {"CNAME": "canonical name", "PTR": "name"}.get(record.type, record.type)
            lines.append(f"{owner}\t{word} = {record.data}")
    return [*head, *lines]
