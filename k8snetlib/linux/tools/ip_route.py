"""What lives here: ``ip route``: the routing table, read and changed.

What the kernel refuses is refused here for the same reasons: a next hop that is not on a link of
this host, a device that is down, a preferred source that is nobody's address.

Simplified here: tables ``main`` and ``local``; no multipath, no route types but unicast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.route import Route
from k8snetlib.linux.tools.ip_route_show import dump, get
from k8snetlib.linux.tools.words import (
    Words,
    address_of,
    device_named,
    garbage,
    number_of,
    prefix_of,
    subcommand,
)

if TYPE_CHECKING:
    from k8snetlib.linux.tools.ip import Options

_REAL = ("list", "show", "get", "add", "change", "chg", "replace", "prepend", "append", "test",
         "delete", "flush", "save", "restore", "showdump", "help")  # fmt: skip
_HERE = ("show", "list", "get", "add", "change", "replace", "delete", "flush")
_WORDS = ("via", "dev", "src", "metric", "proto", "scope", "onlink")
_TYPES = ("blackhole", "unreachable", "prohibit", "throw", "nat", "local", "broadcast", "multicast")


class Wanted(NamedTuple):
    """A route as it was typed; None and "" stand for what was not."""

    prefix: Prefix | None = None
    via: str | None = None
    dev: str = ""
    src: str | None = None
    metric: int | None = None
    proto: str | None = None
    scope: str = ""
    onlink: bool = False


def run(ns: Netns, line: Words, options: Options) -> str:
    """``ip route [show …]``, ``… get ADDRESS``, ``… { add | replace | change | del } PREFIX …``."""
    name = subcommand(line.next(), "ip route", _REAL, _HERE) if line else "show"
    if name in ("show", "list"):
        return dump(ns, line)
    if name == "get":
        return get(ns, line)
    if name == "flush":
        return _flush(ns, line)
    wanted = _wanted(ns, line)
    if name == "delete":
        _delete(ns, wanted)
    else:
        _add(ns, wanted, name)
    return ""


def _wanted(ns: Netns, line: Words) -> Wanted:
    wanted = Wanted()
    while line:
        word = line.next()
        if word == "via":
            wanted = wanted._replace(via=address_of(line.value(word)))
        elif word == "dev":
            wanted = wanted._replace(dev=line.value(word))
        elif word == "src":
            wanted = wanted._replace(src=address_of(line.value(word)))
        elif word in ("metric", "preference"):
            wanted = wanted._replace(metric=number_of(line.value(word), "metric"))
        elif word in ("proto", "protocol"):
            proto = line.value(word)
            wanted = wanted._replace(proto="" if proto == "boot" else proto)
        elif word == "scope":
            wanted = wanted._replace(scope=line.value(word))
        elif word == "onlink":
            wanted = wanted._replace(onlink=True)
        elif word in _TYPES:
            raise BadCommand(f"Routes of type {word} are not modelled.", "Give via and dev.")
        elif word != "unicast":
            if wanted.prefix is not None:
                raise garbage(word, _WORDS, "to")
            prefix = prefix_of(line.value(word) if word == "to" else word)
            wanted = wanted._replace(prefix=prefix)
    if wanted.dev:
        device_named(ns, wanted.dev)
    return wanted


def _add(ns: Netns, wanted: Wanted, command: str) -> None:
    route = _checked(ns, wanted)
    if command == "add":
        if not ns.routes.add(route):
            hint = f"There is '{_twin(ns, route)}'; ip route replace takes its place."
            raise BadCommand("RTNETLINK answers: File exists", hint)
        return
    if command == "change" and _twin(ns, route) is None:
        raise BadCommand("RTNETLINK answers: No such file or directory", "Use ip route add.")
    ns.routes.replace(route)


def _twin(ns: Netns, route: Route) -> Route | None:
    """The route that a new one would clash with: same prefix, same metric."""
    same = (r for r in ns.routes if r.prefix == route.prefix and r.metric == route.metric)
    return next(same, None)


def _checked(ns: Netns, wanted: Wanted) -> Route:
    """The route as the kernel would store it."""
    if wanted.prefix is None:
        raise BadCommand("RTNETLINK answers: No such device", "ip route add PREFIX via ADDRESS")
    dev = wanted.dev
    if wanted.via and not (dev and wanted.onlink):
        dev = _device_towards(ns, wanted.via, dev)
    if not dev:
        raise BadCommand("RTNETLINK answers: No such device", "Give via ADDRESS or dev DEV.")
    if not ns.devices[dev].up:
        raise BadCommand("Error: Device for nexthop is not up.", f"ip link set {dev} up")
    if wanted.src and not ns.is_local(wanted.src):
        raise BadCommand("Error: Invalid prefsrc address.", f"{ns.name} has no {wanted.src}.")
    scope = wanted.scope or ("global" if wanted.via else "link")
    return Route(wanted.prefix, dev, wanted.via, wanted.src, wanted.proto or "", scope,
                 wanted.metric or 0, wanted.onlink)  # fmt: skip


def _device_towards(ns: Netns, via: str, dev: str) -> str:
    """The device by which a gateway is reached directly; raises as the kernel does."""
    hint = f"{via} is on no link of {ns.name}{f' at {dev}' if dev else ''}: see ip route get {via}."
    if ns.is_local(via):
        raise BadCommand(
            "Error: Nexthop has invalid gateway.", f"{via} is {ns.name}'s own address."
        )
    if dev and not ns.devices[dev].up:
        raise BadCommand("Error: Device for nexthop is not up.", f"ip link set {dev} up")
    found = [r for r in ns.routes.matching(via) if not dev or r.dev == dev]
    if not found or found[0].via:
        raise BadCommand("Error: Nexthop has invalid gateway.", hint)
    return found[0].dev


def _matches(route: Route, wanted: Wanted) -> bool:
    pairs = (
        (wanted.prefix, route.prefix),
        (wanted.via, route.via),
        (wanted.dev or None, route.dev),
        (wanted.src, route.src),
        (wanted.metric, route.metric),
        (wanted.proto, route.proto),
        (wanted.scope or None, route.scope),
    )
    return all(asked is None or asked == has for asked, has in pairs)


def _delete(ns: Netns, wanted: Wanted) -> None:
    if wanted.prefix is None:
        raise BadCommand("RTNETLINK answers: No such process", "ip route del PREFIX")
    found = next((route for route in ns.routes if _matches(route, wanted)), None)
    if found is None:
        raise BadCommand("RTNETLINK answers: No such process", "See ip route.")
    ns.routes.remove(found)


def _flush(ns: Netns, line: Words) -> str:
    if not line:
        raise BadCommand('"ip route flush" requires arguments.', "ip route flush dev DEV")
    wanted = _wanted(ns, line)
    for route in [route for route in ns.routes if _matches(route, wanted)]:
        ns.routes.remove(route)
    return ""
