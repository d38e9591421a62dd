"""What lives here: ``ip``: its options, and which object a word means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.linux.tools import ip_address, ip_link, ip_neigh, ip_route
from k8snetlib.linux.tools.words import Words, resolve

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

#: iproute2's objects in its own order, which decides what an abbreviation means.
_REAL = (
    *("address", "addrlabel", "maddress", "route", "rule", "neighbor", "neighbour", "ntable"),
    *("link", "l2tp", "fou", "tunnel", "tuntap", "token", "tcp_metrics", "monitor", "xfrm"),
    *("mroute", "mrule", "netns", "netconf", "vrf", "sr", "nexthop", "mptcp", "stats", "help"),
)
_OBJECTS = {
    "address": ip_address.run,
    "link": ip_link.run,
    "neighbor": ip_neigh.run,
    "neighbour": ip_neigh.run,
    "route": ip_route.run,
}
_HERE = "address, link, neigh, route"

_TOLERATED = {"-4", "-c", "-color", "-N", "-Numeric"}
_BRIEF, _ONELINE, _DETAILS = {"-br", "-brief"}, {"-o", "-oneline"}, {"-d", "-details"}


class Options(NamedTuple):
    """How ``ip`` is to print: ``brief`` (-br), ``oneline`` (-o), ``inet`` (-4), ``details``
    (-d)."""

    brief: bool = False
    oneline: bool = False
    inet: bool = False
    details: bool = False


def run(ns: Netns, words: list[str]) -> str:
    """``ip [OPTIONS] OBJECT [COMMAND …]``; see ``docs/commands.md``."""
    line = Words(words)
    options = Options()
    while line:
        word = line.next()
        if not word.startswith("-"):
            return _object(ns, word, line, options)
        option = "-" + word.lstrip("-")
        if option in _BRIEF:
            options = options._replace(brief=True)
        elif option in _ONELINE:
            options = options._replace(oneline=True)
        elif option in _DETAILS:
            options = options._replace(details=True)
        elif option in _TOLERATED:
            options = options._replace(inet=options.inet or option == "-4")
        else:
            raise _no_option(word)
    raise BadCommand("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }", f"Objects here: {_HERE}.")


def _no_option(word: str) -> BadCommand:
    if word in ("-6", "-n", "-netns"):
        why = "there is no IPv6 here" if word == "-6" else "you are in one namespace already"
        return BadCommand(f"ip {word} is not modelled: {why}.", "Options here: -4, -br, -o, -d.")
    short = "-" + word.lstrip("-")
    return BadCommand(f'Option "{short}" is unknown, try "ip -help".', "Here: -4, -br, -o, -d.")


def _object(ns: Netns, word: str, line: Words, options: Options) -> str:
    name = resolve(word, _REAL)
    if name is None:
        near = nearest(word, [*_OBJECTS, "addr", "neigh"])
        meant = f"Did you mean {near[0]}? " if near else ""
        raise BadCommand(
            f'Object "{word}" is unknown, try "ip help".', f"{meant}Objects here: {_HERE}."
        )
    run_object = _OBJECTS.get(name)
    if run_object is None:
        raise BadCommand(f"'ip {name}' is not modelled.", f"Objects here: {_HERE}.")
    return run_object(ns, line, options)
