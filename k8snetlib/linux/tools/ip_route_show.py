"""What lives here: what ``ip route`` prints: the tables ``main`` and ``local``, and ``get``.

What a filter has fixed is not printed again: ``ip route show dev eth0`` leaves out ``dev eth0``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import BadCommand
from k8snetlib.linux.route import Route
from k8snetlib.linux.tools import links
from k8snetlib.linux.tools.words import Words, address_of, device_named, prefix_of

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Device, Netns

_TABLES = {"main", "254", "local", "255", "all"}
_RANGES: dict[str, Callable[[Prefix, Prefix], bool]] = {
    "exact": lambda route, asked: route == asked,
    # `root` takes what lies inside the prefix, `match` what contains it.
    "root": lambda route, asked: route.length >= asked.length and asked.contains(route.network),
    "match": lambda route, asked: route.length <= asked.length and route.contains(asked.network),
}


class Line(NamedTuple):
    """One route as it is printed: its type ("" for unicast), and the route."""

    kind: str
    route: Route


def dump(ns: Netns, line: Words) -> str:
    """``ip route show [[root|match] PREFIX] [dev DEV] [via IP] [proto P] [scope S] [table T]``"""
    fixed: dict[str, str] = {}
    within, asked, table = "exact", None, "main"
    while line:
        word = line.next()
        if word in ("dev", "via", "scope", "src", "metric"):
            fixed[word] = line.value(word)
        elif word in ("proto", "protocol"):
            fixed["proto"] = line.value(word)
        elif word == "table":
            table = line.value(word)
        else:
            within = word if word in _RANGES else "exact"
            asked = prefix_of(line.value(word) if word in ("to", *_RANGES) else word)
    if table not in _TABLES:
        raise BadCommand("Error: ipv4: FIB table does not exist.", "Here: main, local.")
    if "dev" in fixed:
        device_named(ns, fixed["dev"])
    routes = [] if table in ("local", "255") else [Line("", route) for route in ns.routes]
    routes.sort(key=_walked)
    routes += [] if table in ("main", "254") else sorted(local_table(ns), key=_walked)
    return "\n".join(
        _text(ns, one, fixed, with_table=table == "all")
        for one in routes
        if _agrees(one.route, fixed) and (not asked or _RANGES[within](one.route.prefix, asked))
    )


def _walked(line: Line) -> tuple[int, int, int]:
    # The kernel walks a trie by address; of two prefixes that begin alike, the longer is first.
    prefix = line.route.prefix
    return prefix.net, -prefix.length, line.route.metric


def _agrees(route: Route, fixed: dict[str, str]) -> bool:
    has = {"dev": route.dev, "via": route.via, "scope": route.scope, "src": route.src,
           "metric": str(route.metric), "proto": route.proto or "boot"}  # fmt: skip
    return all(has[word] == value for word, value in fixed.items())


def _text(ns: Netns, line: Line, fixed: dict[str, str], *, with_table: bool) -> str:
    route = line.route
    shown = route
    if "via" in fixed:
        shown = shown._replace(via=None)
    if "proto" in fixed:
        shown = shown._replace(proto="")
    if "metric" in fixed:
        shown = shown._replace(metric=0)
    if "src" in fixed:
        shown = shown._replace(src=None)
    if "scope" in fixed:
        shown = shown._replace(scope="global")
    text = str(shown)
    if with_table and line.kind:
        text = text.replace(f" dev {route.dev}", f" dev {route.dev} table local", 1)
    if "dev" in fixed:
        text = text.replace(f" dev {route.dev}", "", 1)
    if not links.has_carrier(ns, ns.devices[route.dev]) and line.kind != "local":
        text += " linkdown"
    return f"{line.kind} {text}" if line.kind else text


def local_table(ns: Netns) -> list[Line]:
    """The table ``local``: this host's own addresses, and its subnets' broadcast addresses."""
    lines = (line for device in ns.devices.values() for line in _own(device))
    return list(dict.fromkeys(lines))  # an address with two masks is there once


def _own(device: Device) -> Iterator[Line]:
    """What one device's addresses put into the table ``local``."""
    first: dict[Prefix, str] = {}
    for address in device.addresses:
        subnet = address.subnet
        primary = first.setdefault(subnet, address.ip)
        own = Route(Prefix.parse(address.ip), device.name, None, primary, "kernel", "host")
        yield Line("local", own)
        if primary != address.ip or not device.up:
            continue
        if device.kind == "lo" and subnet.length < 32:
            yield Line("local", own._replace(prefix=subnet))
        if subnet.length < 31:
            last = Prefix.parse(subnet.broadcast)
            yield Line("broadcast", own._replace(prefix=last, scope="link"))


# -- get ------------------------------------------------------------------------------------------


def get(ns: Netns, line: Words) -> str:
    """``ip route get ADDRESS [from ADDRESS] [iif DEV] [oif DEV]``: what the kernel would do."""
    dst = src = iif = oif = ""
    while line:
        word = line.next()
        if word == "from":
            src = address_of(line.value(word))
        elif word in ("iif", "oif"):
            name = device_named(ns, line.value(word)).name
            iif, oif = (name, oif) if word == "iif" else (iif, name)
        else:
            dst = address_of(line.value(word) if word == "to" else word)
    if not dst:
        raise BadCommand("need at least a destination address", "ip route get 10.1.20.3")
    given = f" from {src}" if src else ""
    cache = f" iif {iif}" if iif else ""
    if ns.is_local(dst):
        own = dst if not src else ""
        return _answer(f"local {dst}{given} dev lo", own, "<local>" + cache)
    for device in ns.devices.values():
        if ns.is_broadcast(dst, device.name) and dst != "255.255.255.255" and device.up:
            own = next(a.ip for a in device.addresses if a.subnet.broadcast == dst)
            return _answer(f"broadcast {dst} dev {device.name}", own, "<local,brd>")
    found = (r for r in ns.routes.matching(dst) if not oif or r.dev == oif)
    route = next(found, None)
    if route is None and oif and ns.devices[oif].up:
        # Told which device to take, the kernel believes that the address is on its link.
        first_own = next((address.ip for address in ns.devices[oif].addresses), None)
        route = Route(Prefix.parse(dst), oif, src=first_own)
    if route is None:
        return "RTNETLINK answers: Network is unreachable"
    if iif and not ns.sysctls["net.ipv4.ip_forward"]:
        return "RTNETLINK answers: No route to host"
    via = f" via {route.via}" if route.via else ""
    own = "" if src else ns.source_for(route) or ""
    first = f"{dst}{given}{via} dev {route.dev}"
    if iif == route.dev:
        cache = " <redirect>" + cache  # out where it came in: the sender could go there directly
    return f"{first}\n    cache{cache}" if iif else _answer(first, own, "")


def _answer(first: str, source: str, cache: str) -> str:
    src = f" src {source}" if source else ""
    return f"{first}{src} uid 0\n    cache {cache}"
