"""What lives here: ``ip route``, ``ip neigh``, ``bridge fdb`` and ``sysctl`` read, line by line.

What decides a packet's way and is not modelled is named in ``passed_over``; what decides nothing
(IPv6, table local, which the addresses tell already) is left out in silence; what nobody
understands raises ``BadDump`` with its line.

Simplified here: table main; of several next hops the first.
Source: iproute2's ip/iproute.c, ip/ipneigh.c, bridge/fdb.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8snetlib.address import parse_mac
from k8snetlib.dumps.lines import Line, lines
from k8snetlib.errors import BadAddress
from k8snetlib.linux.netns import FdbEntry, Neighbour
from k8snetlib.linux.route import Route

_LOCAL = ("local", "broadcast", "multicast", "anycast")
_TYPES = ("blackhole", "unreachable", "prohibit", "throw", "nat")
#: Words of a route that say nothing about where a packet goes, alone or with a value.
_FLAGS = ("linkdown", "pervasive", "offload", "trap", "rt_offload", "rt_trap", "notify", "cache")
_VALUES = ("mtu", "advmss", "window", "rtt", "rttvar", "cwnd", "initcwnd", "initrwnd", "hoplimit",
           "pref", "expires", "realm", "realms", "congctl", "features", "quickack", "weight",
           "tos", "dsfield", "nhid", "rto_min", "ssthresh", "reordering", "error", "used",
           "age", "users")  # fmt: skip
_STATES = ("REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "PERMANENT", "NOARP")


def routes(text: str, file: str, passed_over: list[str]) -> Iterator[Route]:
    """The routes of table main."""
    several: Line | None = None
    for line in lines(text, file):
        if line.words[0] == "nexthop":
            if several is not None:
                words = (several.words[0], *line.words[1:], *several.words[1:])
                passed_over.append(
                    f"{line.place}: all but the first next hop of {several.words[0]}"
                )
                yield from _route(line._replace(words=words), passed_over)
            several = None
            continue
        if several is not None:
            break
        if _is_main(line, passed_over):
            if "via" in line.words or "dev" in line.words:
                yield from _route(line, passed_over)
            else:
                several = line
    if several is not None:
        raise several.error("a route needs a device.", f"The line: {several}")


def _is_main(line: Line, passed_over: list[str]) -> bool:
    """True for an IPv4 unicast route of table main; tells what else decides."""
    first = line.words[0]
    table = line.after("table")
    if any(":" in word for word in line.words) or table == "local" or first in _LOCAL:
        to = "".join(line.words[1:2])
        if first == "local" and "/" in to and not to.startswith("127."):
            passed_over.append(f"{line.place}: {line}")
        return False
    if first in _TYPES or table not in ("", "main"):
        passed_over.append(f"{line.place}: {line}")
        return False
    return "dead" not in line.words


def _route(line: Line, passed_over: list[str]) -> Iterator[Route]:
    words = iter(line.words[1:] if line.words[0] != "unicast" else line.words[2:])
    found: dict[str, str] = {}
    onlink = False
    for word in words:
        if word in ("via", "dev", "src", "proto", "scope", "metric"):
            found[word] = next(words, "")
            if not found[word]:
                raise line.error(f"nothing stands behind '{word}'.", f"The line: {line}")
        elif word == "onlink":
            onlink = True
        elif word == "encap":
            passed_over.append(f"{line.place}: {line}")
            return
        elif word in _VALUES or word == "table":
            next(words, "")
        elif word not in _FLAGS:
            raise line.error(f"'{word}' is unknown in a route.", f"The line: {line}")
    text = line.words[1] if line.words[0] == "unicast" else line.words[0]
    if "dev" not in found:
        raise line.error("a route needs a device.", f"The line: {line}")
    via = line.ip(found["via"]) if "via" in found else None
    src = line.ip(found["src"]) if "src" in found else None
    scope, proto = found.get("scope", "global"), found.get("proto", "")
    yield Route(
        line.prefix(text), found["dev"], via, src, "" if proto == "boot" else proto, scope,
        line.number_after("metric"), onlink,
    )  # fmt: skip


def neighbours(text: str, file: str) -> Iterator[Neighbour]:
    """``10.1.15.2 dev docker0 lladdr 02:42:0a:01:0f:02 REACHABLE``"""
    for line in lines(text, file):
        if ":" in line.words[0] or "proxy" in line.words:
            continue
        states = [word for word in line.words if word in _STATES]
        device = line.after("dev")
        if not device or not states:
            raise line.error(f"'{line}' is no neighbour.", "Give what `ip neigh` prints.")
        mac = line.after("lladdr")
        yield Neighbour(
            line.ip(line.words[0]), device, _mac(line, mac) if mac else None, states[-1]
        )


def forwarding(text: str, file: str) -> Iterator[tuple[FdbEntry | None, tuple[str, str], str]]:
    """Entries of bridges, or ((device, MAC), node) of VXLAN devices.

    ``02:42:0a:01:0f:02 dev veth1 master cni0``,
    ``16:5f:…:ab dev flannel.1 dst 192.168.66.12 self permanent``
    """
    for line in lines(text, file):
        device = line.after("dev")
        if not device:
            raise line.error(f"'{line}' is no forwarding entry.", "Give what `bridge fdb` prints.")
        mac, master, dst = _mac(line, line.words[0]), line.after("master"), line.after("dst")
        if dst and "." in dst:
            yield None, (device, mac), line.ip(dst)
        elif master and "self" not in line.words:
            own = "permanent" in line.words
            yield FdbEntry(mac, device, master, local=own), (master, mac), ""


def sysctls(text: str, file: str) -> Iterator[tuple[str, int]]:
    """``net.ipv4.ip_forward = 1``"""
    for line in lines(text, file):
        name, equals, value = str(line).partition("=")
        if not equals:
            raise line.error(f"'{line}' is no setting.", "Give what `sysctl net` prints.")
        if value.strip().lstrip("-").isdigit():
            yield name.strip().replace("/", "."), int(value)


def _mac(line: Line, text: str) -> str:
    try:
        return parse_mac(text)
    except BadAddress as error:
        raise line.error(error.message, error.hint) from None
