"""What lives here: ``ipset``: sets of addresses and ports, listed and changed.

Simplified here: entries are listed in the order of their text (the kernel's comes from a hash);
``initval``, with which the kernel begins its hash, is made from the set's name, and the size in
memory is a guess; of the options of ``create`` only ``family`` counts.

Source: ipset(8), compared with ipset 7.17 in ``tests/kernel/test_ipset_real.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from zlib import crc32

from k8snetlib.address import Prefix, is_ip, number
from k8snetlib.errors import BadAddress, BadCommand, K8sNetError
from k8snetlib.linux.ipset import TYPES, IpSet, destroy, references
from k8snetlib.linux.tools.words import Words

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_SAYS = "ipset v7.17: "
_NO_SUCH_SET = f"{_SAYS}The set with the given name does not exist"
_REVISION = {"hash:ip": 6, "hash:net": 7, "hash:ip,port": 7, "hash:ip,port,ip": 6,
             "hash:ip,port,net": 8, "bitmap:port": 3}  # fmt: skip
#: Bytes of an empty set, and of each entry.
_MEMORY = {"hash:ip": (208, 48), "hash:net": (456, 48), "hash:ip,port": (208, 56),
           "hash:ip,port,ip": (208, 56), "hash:ip,port,net": (464, 56),
           "bitmap:port": (8264, 0)}  # fmt: skip
_HERE = "create, add, del, test, list, save, flush, destroy"
_PROTOCOLS = ("tcp", "udp", "sctp", "icmp")


def run(ns: Netns, words: list[str]) -> str:
    """``ipset list [NAME]``, ``ipset { add | del | test } NAME ENTRY``, ``ipset create N TYPE``"""
    options = {word for word in words if word in ("-n", "-name", "-t", "-terse", "-s", "-sorted",
                                                  "-exist", "-!")}  # fmt: skip
    line = Words([word for word in words if word not in options])
    if not line:
        raise BadCommand(f"{_SAYS}No command specified.", f"Here: {_HERE}.")
    word = line.next()
    command = _COMMANDS.get({"-L": "list", "--list": "list"}.get(word, word))
    if command is None:
        message = f"{_SAYS}No command specified: unknown argument {word}"
        raise BadCommand(message, f"Here: {_HERE}.")
    return command(ns, line, options)


def _set(ns: Netns, line: Words) -> IpSet:
    name = line.next() if line else ""
    if name not in ns.ipsets:
        raise BadCommand(_NO_SUCH_SET, f"There are: {', '.join(ns.ipsets) or 'none'}.")
    return ns.ipsets[name]


# -- listing --------------------------------------------------------------------------------------


def _chosen(ns: Netns, line: Words) -> list[IpSet]:
    if not line:
        return list(ns.ipsets.values())
    found = [_set(ns, line)]
    if line:
        raise BadCommand(f"{_SAYS}Unknown argument {line.next()}", "One name, or none for all.")
    return found


def _list(ns: Netns, line: Words, options: set[str]) -> str:
    sets = _chosen(ns, line)
    if options & {"-n", "-name"}:
        return "\n".join(one.name for one in sets)
    terse = bool(options & {"-t", "-terse"})
    return "\n\n".join(_one(ns, one, terse) for one in sets)


def _one(ns: Netns, one: IpSet, terse: bool) -> str:
    empty, each = _MEMORY[one.kind]
    lines = [
        f"Name: {one.name}",
        f"Type: {one.kind}",
        f"Revision: {_REVISION[one.kind]}",
        f"Header: {_header(one)}",
        f"Size in memory: {empty + each * len(one.entries)}",
        f"References: {references(ns, one.name)}",
        f"Number of entries: {len(one.entries)}",
    ]
    if not terse:
        lines += ["Members:", *_sorted(one)]
    return "\n".join(lines)


def _header(one: IpSet) -> str:
    if one.kind == "bitmap:port":
        return "range 0-65535"
    start = f"{crc32(one.name.encode()):#010x}"
    return f"family {one.family} hashsize 1024 maxelem 65536 bucketsize 12 initval {start}"


def _sorted(one: IpSet) -> list[str]:
    shown = [entry.removesuffix("/32") for entry in one.entries]
    if one.kind == "bitmap:port":
        return sorted(shown, key=int)
    return sorted(shown, key=_place)


def _place(entry: str) -> tuple[int, str]:
    ip, _, rest = entry.partition(",")
    return (number(ip) if is_ip(ip) else 0), rest


def _save(ns: Netns, line: Words, options: set[str]) -> str:
    lines = []
    for one in _chosen(ns, line):
        lines.append(f"create {one.name} {one.kind} {_header(one)}")
        lines += [f"add {one.name} {entry}" for entry in _sorted(one)]
    return "\n".join(lines)


def _word(line: Words, which: str, command: str) -> str:
    if not line:
        raise BadCommand(f"{_SAYS}Missing {which}mandatory argument to command {command}")
    return line.next()


# -- changing -------------------------------------------------------------------------------------


def _create(ns: Netns, line: Words, options: set[str]) -> str:
    name = _word(line, "", "create")
    kind = _word(line, "second ", "create")
    if kind not in TYPES:
        message = f"{_SAYS}Syntax error: typename '{kind}' is unknown"
        raise BadCommand(message, f"Here: {', '.join(TYPES)}.")
    family = "inet"
    while line:
        word = line.next()
        value = line.value(word)
        family = value if word == "family" else family
    if name in ns.ipsets:
        if options & {"-exist", "-!"}:
            return ""
        raise BadCommand(f"{_SAYS}Set cannot be created: set with the same name already exists")
    ns.ipsets[name] = IpSet(name, kind, family=family)
    return ""


def _add(ns: Netns, line: Words, options: set[str]) -> str:
    one = _set(ns, line)
    entry = _entry(one, _word(line, "second ", "add"))
    if entry in one.entries and not options & {"-exist", "-!"}:
        raise BadCommand(f"{_SAYS}Element cannot be added to the set: it's already added")
    ns.ipsets[one.name] = one.with_entries(one.entries | {entry})
    return ""


def _del(ns: Netns, line: Words, options: set[str]) -> str:
    one = _set(ns, line)
    entry = _entry(one, _word(line, "second ", "del"))
    if entry not in one.entries and not options & {"-exist", "-!"}:
        raise BadCommand(f"{_SAYS}Element cannot be deleted from the set: it's not added")
    ns.ipsets[one.name] = one.with_entries(one.entries - {entry})
    return ""


def _test(ns: Netns, line: Words, options: set[str]) -> str:
    one = _set(ns, line)
    text = _word(line, "second ", "test")
    if _entry(one, text) in one.entries:
        return f"Warning: {text} is in set {one.name}."
    raise BadCommand(f"{text} is NOT in set {one.name}.")


def _flush(ns: Netns, line: Words, options: set[str]) -> str:
    for one in _chosen(ns, line):
        ns.ipsets[one.name] = one.with_entries(())
    return ""


def _destroy(ns: Netns, line: Words, options: set[str]) -> str:
    for one in _chosen(ns, line):
        try:
            destroy(ns, one.name)
        except K8sNetError as error:
            raise BadCommand(f"{_SAYS}{error.message}", error.hint) from None
    return ""


_COMMANDS: Mapping[str, Callable[[Netns, Words, set[str]], str]] = {
    "list": _list, "save": _save, "create": _create, "add": _add, "del": _del, "test": _test,
    "flush": _flush, "destroy": _destroy,
}  # fmt: skip


def _entry(one: IpSet, text: str) -> str:
    """An entry as the set keeps it; raises ``BadCommand`` in the tool's words."""
    parts, words = TYPES[one.kind], text.split(",")
    if len(words) < len(parts):
        place = ("First", "Second", "Third")[len(words)]
        raise BadCommand(f"{_SAYS}Syntax error: {place} element is missing from {text}.")
    if len(words) > len(parts):
        raise BadCommand(
            f"{_SAYS}Syntax error: too many elements in {text}.",
            f"Of {one.kind} there is {','.join(parts)}.",
        )
    if one.kind == "bitmap:port":
        return str(_port(text.removeprefix("tcp:").removeprefix("udp:")))
    return ",".join(_part(part, word) for part, word in zip(parts, words, strict=True))


def _part(part: str, word: str) -> str:
    if part == "port":
        proto, colon, port = word.partition(":")
        if colon and proto not in _PROTOCOLS:
            raise BadCommand(f"{_SAYS}Syntax error: cannot parse '{proto}' as a protocol")
        return f"{proto}:{_port(port)}" if colon else f"tcp:{_port(word)}"
    try:
        prefix = Prefix.parse(word, host_bits=True)
    except BadAddress as error:
        message = f"{_SAYS}Syntax error: cannot parse {word}: resolving to IPv4 address failed"
        raise BadCommand(message, error.hint) from None
    if part == "net" and prefix.length == 0:
        message = f"{_SAYS}The value of the CIDR parameter of the IP address is invalid"
        raise BadCommand(message, "A network of a set has at least one bit.")
    return str(prefix) if prefix.length < 32 and part == "net" else prefix.network


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadCommand(f"{_SAYS}Syntax error: '{text}' is invalid as number", "0 to 65535.")
    if int(text) > 65535:
        raise BadCommand(f"{_SAYS}Syntax error: '{text}' is out of range 0-65535")
    return int(text)
