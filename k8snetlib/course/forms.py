"""What lives here: the forms in which people write one and the same answer, brought into one form.

A reader returns its argument as it is when it cannot make sense of it: then it simply differs from
the expected value, and nothing raises.

What may not live here: expected values.
"""

from __future__ import annotations

import re
from typing import Any

from k8snetlib.address import Prefix
from k8snetlib.errors import K8sNetError
from k8snetlib.trace import Names

_CHANCE = re.compile(r"(\d{1,12}(?:[.,]\d{1,60})?|[.,]\d{1,60})(?:/(\d{1,12}))?(%)?")
_NOBODY = ("nobody", "no one", "noone", "no-one", "none", "nothing", "nowhere", "no", "-", "")
_FILLED = ("", "only", "the")
_NONE = re.compile(r"(?:(?:no|none|nobody|noone|no-one|nothing|nowhere)\b(?!-)|-?$)")
_CHAIN = re.compile(
    r"(?:\b(raw|conntrack|mangle|nat|filter)\W+(?:table\W+)?(?:chain\W+)?)?"
    r"(?<![\w-])(prerouting|input|forward|output|postrouting)\b"
    r"(?:(?:\s+chain)?\s*(?:\(|\bin\b|\bof\b)\s*(?:the\s+)?(?:table\s+)?(raw|mangle|nat|filter)\b)?"
)
_PREFIX = re.compile(r"\d+\.\d+\.\d+\.\d+/\d+")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+(?![\d/.])")
_ENTRY = re.compile(
    r"(?:[\da-f]{2}:){5}[\da-f]{2}|\d+\.\d+\.\d+\.\d+(?:/\d+)?|[a-z][\w-]*:[a-z][\w.-]*"
)


def whole(value: Any) -> Any:
    """A whole number from ``4``, ``4.0`` or ``"4"``."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    return value


def chance(value: Any) -> Any:
    """A probability as a float, from ``0.25``, ``1``, ``"1/4"`` or ``"25 %"``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _CHANCE.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None or (found[2] and not int(found[2])):
        return value
    return float(found[1].replace(",", ".")) / int(found[2] or 1) / (100 if found[3] else 1)


def words(value: Any) -> Any:
    """A text with single spaces, without those at its ends."""
    return " ".join(value.split()) if isinstance(value, str) else value


def host(value: Any) -> Any:
    """A namespace's own name from ``pod/web2``, ``default/web2``, ``Web2``, ``the router`` or
    ``web2 (node1)``."""
    if not isinstance(value, str):
        return value
    text = re.sub(r"^(?:the|pod) |\s*\([^()]*\)$", "", value.strip().lower())
    return text.rpartition("/")[2]


def hosts(value: Any) -> Any:
    """Several namespaces, in any order: a list, or a text with commas or ``and``."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[,&\s]|\band\b", value) if part not in _FILLED]
    if not isinstance(value, list):
        return value
    return sorted({name if isinstance(name, str) else repr(name) for name in map(host, value)})


_OUTCOMES = {
    "answered": "delivered", "arrives": "delivered", "connected": "delivered", "ok": "delivered",
    "works": "delivered", "reset": "refused", "connection refused": "refused", "rst": "refused",
    "answer": "delivered", "reject": "rejected", "drop": "dropped", "routed away": "unreachable",
    "host unreachable": "unreachable", "no route to host": "unreachable",
}  # fmt: skip


def outcome(value: Any) -> Any:
    """An outcome from the words that people use for it: ``answered`` is ``delivered``."""
    text = words(value)
    return _OUTCOMES.get(text.lower(), text.lower()) if isinstance(text, str) else value


def address(value: Any, names: Names) -> Any:
    """The one address in a text: ``10.1.15.2`` from ``10.1.15.2/24``, ``10.1.15.2 (web2)`` or, if
    ``names`` knows one address of that name, ``web2``."""
    text = words(value)
    if not isinstance(text, str):
        return value
    found = re.findall(r"\d+\.\d+\.\d+\.\d+", text)
    known = found or [ip for ip, name in names.ips.items() if name == host(text)]
    return known[0] if len(known) == 1 else text


def nobody(value: Any, word: str = "nobody") -> Any:
    """``word`` from False, or any of the words for none of them: ``none``, ``no one``, ``-`` …"""
    return word if value is False or words(value) in _NOBODY else value


def none(value: Any) -> bool:
    """True if this says that there is none: False, 0, an empty list, or a text that begins with
    ``no``, ``none``, ``nothing`` …"""
    if isinstance(value, str):
        return _NONE.match(value.strip().lower()) is not None
    return value is not None and value in (0, [], {})


def empty(value: Any) -> Any:
    """An empty list from whatever says that there is none (see ``none``)."""
    return [] if none(value) else value


def _parts(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_parts(part)}" for key, part in value.items())
    return ", ".join(map(_parts, value)) if isinstance(value, list) else str(value)


def chains(value: Any) -> Any:
    """The chains of netfilter in a text, a list or a dict by table: ``["nat PREROUTING"]``.

    INPUT and FORWARD alone are filter's, the others nat's. None of them is an empty list; where no
    chain is named, the text comes back.
    """
    if none(value):
        return []
    found = _CHAIN.findall(_parts(value).lower())
    own = {"input": "filter", "forward": "filter"}
    names = {f"{after or before or own.get(hook, 'nat')} {hook.upper()}"
             for before, hook, after in found}  # fmt: skip
    return sorted(names) or _parts(value)


def end(value: Any) -> Any:
    """``IP:PORT`` from itself, or from a pair."""
    if isinstance(value, list) and len(value) == 2:
        value = f"{value[0]}:{value[1]}"
    return "".join(value.split()) if isinstance(value, str) else value


def owner(value: Any, names: Names) -> Any:
    """``node1:eth0`` from itself, or from the MAC address that it owns."""
    text = words(value)
    if not isinstance(text, str):
        return value
    return names.mac(text.lower().replace("-", ":")) if text.count(":") != 1 else text.lower()


def entry(value: Any) -> Any:
    """The networks, IPv4 addresses, MAC addresses and ``NAMESPACE:DEVICE`` names of an entry, in
    their order; other words do not count.

    ``10.1.20.0 lladdr 0e:f1:… PERMANENT``, the pair of both and a dict of that pair are one entry.
    """
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    if not isinstance(value, str):
        return value
    return tuple(_ENTRY.findall(re.sub(r"-(?=[\da-f]{2}\b)", ":", value.lower()))) or words(value)


def entries(value: Any) -> Any:
    """Several entries (see ``entry``), in any order: a list, a dict of pairs, or lines of text."""
    if isinstance(value, dict):
        value = [list(pair) for pair in value.items()]
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()]
    return sorted(map(entry, value), key=repr) if isinstance(value, list) else value


def yes(value: Any) -> Any:
    """True or False from itself, from 1 or 0, or from the words people write for it."""
    said = value.strip().rstrip(".").lower() if isinstance(value, str) else value
    if said in (1, "1", "yes", "true", "delivered", "answered", "works", "ok"):
        return True
    if said in (0, "0", "no", "false", "lost", "dropped", "refused", "fails", "unreachable",
                "timeout", "times out", "timed out", "not answered"):  # fmt: skip
        return False
    return value


def route(value: Any) -> Any:
    """``(prefix, next hop, device)`` from a line as ``ip route`` prints it.

    A text without ``dev`` and a list or tuple of prefix and device are understood as well.
    """
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    text = words(value)
    if not isinstance(text, str):
        return value
    parts = text.split()
    try:
        prefix = Prefix.parse(parts[0])
    except (K8sNetError, IndexError):
        return text
    named = {key: parts[at + 1] for at, key in enumerate(parts[:-1]) if key in ("via", "dev")}
    if "dev" not in named and len(parts) == 2:
        named["dev"] = parts[1]
    return (str(prefix), named.get("via", ""), named.get("dev", ""))


def is_route(value: Any, line: str) -> bool:
    """True if this names the route that ``ip route`` prints as ``line``. Beside a next hop, the
    device may be left out."""
    said, right = route(value), route(line)
    return bool(said in (right, (*right[:2], "")) and (right[1] or said == right))


def lease(value: Any) -> Any:
    """``(subnet, address)`` from ``10.1.20.0/24 -> 192.168.66.12``, a pair, or a dict of one pair.

    An address where the subnet should be counts as a /32.
    """
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = " -> ".join(value)
    if not isinstance(value, str):
        return value
    subnets, addresses = _PREFIX.findall(value), _ADDRESS.findall(value)
    if len(subnets) == 1 and len(addresses) == 1:
        return (subnets[0], addresses[0])
    if not subnets and len(addresses) == 2:
        return (f"{addresses[0]}/32", addresses[1])
    return words(value)
