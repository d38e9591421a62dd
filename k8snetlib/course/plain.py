"""What lives here: a learner's value as plain JSON, and back.

Learner code and judging may run in two processes, so what lies between them is JSON and nothing
else. ``to_plain`` takes values apart with the built-in types' own methods: a subclass of ``int`` or
``str`` loses its private ``==`` here, an object that equals everything becomes ``Other``.

Equivalent forms become one form here: a tuple is a list, an ``IPv4Network`` or a
``Fraction`` is its text, a ``bytearray`` is bytes, a set is a sorted list.

What may not live here: any opinion on whether a value is right.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from k8snetlib.address import Prefix

#: The key that marks a value JSON has no form for. A learner's dict may not use it.
TAG = "$"

MAX_DEPTH, MAX_VALUES, MAX_LENGTH = 12, 20_000, 100_000
#: So many characters or bytes count as one value.
_CHUNK = 64

_AS_TEXT = (
    Fraction,
    Decimal,
    ipaddress.IPv4Address,
    ipaddress.IPv4Network,
    ipaddress.IPv4Interface,
    Prefix,
)


class Other(NamedTuple):
    """A value that has no plain form; ``what`` says in words what it was."""

    what: str


class _TooMuchError(Exception):
    pass


class _Budget:
    """How much may still be read: a huge or endless answer stops here."""

    __slots__ = ("keep_tuples", "left")

    def __init__(self, keep_tuples: bool) -> None:
        self.left = MAX_VALUES
        self.keep_tuples = keep_tuples

    def spend(self, length: int = 0) -> None:
        self.left -= 1 + length // _CHUNK
        if self.left < 0:
            raise _TooMuchError


def to_plain(value: object, *, keep_tuples: bool = False) -> Any:
    """``value`` as JSON-ready data: None, bool, int, float, str, list, dict.

    A tuple becomes a list; with ``keep_tuples`` (for questions, not answers) it comes back a tuple.

    Bytes become ``{"$": "bytes", "hex": …}``. What has no plain form (an object, NaN, a number
    beyond 64 bits, too much, too deep) becomes ``{"$": "other", "what": …}``; nothing raises.
    """
    try:
        return _plain(value, 0, _Budget(keep_tuples))
    except _TooMuchError:
        return _other("too much data, or too deep")
    except Exception:  # a learner's class may raise anything from anywhere
        return _other(f"a {type(value).__name__} that cannot be read")


def _other(what: str) -> dict[str, str]:
    return {TAG: "other", "what": what}


def _plain(value: object, depth: int, budget: _Budget) -> Any:
    if depth > MAX_DEPTH:
        raise _TooMuchError
    budget.spend()
    kind = type(value)
    if value is None or value is ...:
        return None
    if kind is bool:
        return value
    if kind in _AS_TEXT:
        return _string(str(value), depth, budget)
    for base, read in _READERS:
        if issubclass(kind, base):
            return read(value, depth, budget)
    return _other(_called(kind))


def _called(kind: type) -> str:
    name = kind.__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _integer(value: Any, depth: int, budget: _Budget) -> Any:
    number = int.__add__(value, 0)
    return number if -(1 << 63) <= number < 1 << 64 else _other("a number beyond 64 bits")


def _real(value: Any, depth: int, budget: _Budget) -> Any:
    number = float.__add__(value, 0.0)
    return number if abs(number) < float("inf") else _other("a number that is not finite")


def _string(value: Any, depth: int, budget: _Budget) -> Any:
    text = str.__str__(value)
    if len(text) > MAX_LENGTH:
        return _other("a very long text")
    budget.spend(len(text))
    # A lone surrogate is no text that JSON could carry.
    return text.encode("utf-8", "replace").decode("utf-8")


def _octets(value: Any, depth: int, budget: _Budget) -> Any:
    data = bytes(memoryview(value))
    if len(data) > MAX_LENGTH:
        return _other("too many bytes")
    budget.spend(len(data))
    return {TAG: "bytes", "hex": data.hex()}


def _list(value: Any, depth: int, budget: _Budget) -> Any:
    return [_plain(item, depth + 1, budget) for item in list.__iter__(value)]


def _tuple(value: Any, depth: int, budget: _Budget) -> Any:
    items = [_plain(item, depth + 1, budget) for item in tuple.__iter__(value)]
    return {TAG: "tuple", "items": items} if budget.keep_tuples else items


def _set(value: Any, depth: int, budget: _Budget) -> Any:
    read = set.__iter__ if issubclass(type(value), set) else frozenset.__iter__
    items = [_plain(item, depth + 1, budget) for item in read(value)]
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _mapping(value: Any, depth: int, budget: _Budget) -> Any:
    result: dict[str, Any] = {}
    for key, item in dict.items(value):
        name = _plain(key, depth + 1, budget)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or name == TAG or name in result:
            return _other("a dict with keys that are not plain text")
        result[name] = _plain(item, depth + 1, budget)
    return result


_READERS: tuple[tuple[type | tuple[type, ...], Callable[[Any, int, _Budget], Any]], ...] = (
    (bool, lambda value, depth, budget: bool(value)),
    (int, _integer),
    (float, _real),
    (str, _string),
    ((bytes, bytearray, memoryview), _octets),
    (list, _list),
    (tuple, _tuple),
    ((set, frozenset), _set),
    (dict, _mapping),
)


def from_plain(value: Any) -> Any:
    """The value behind plain data: ``bytes`` again, ``Other`` again, fresh lists and dicts."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(TAG)
    if tag is None:
        return {key: from_plain(item) for key, item in value.items()}
    if tag == "bytes":
        return bytes.fromhex(value["hex"])
    if tag == "tuple":
        return tuple(from_plain(item) for item in value["items"])
    return Other(str(value.get("what", "something else")))


def is_blank(value: Any) -> bool:
    """True if nothing was filled in: None, or a list or dict in which everything is blank."""
    if isinstance(value, dict) and TAG not in value:
        return all(is_blank(item) for item in value.values())
    if isinstance(value, list):
        return all(is_blank(item) for item in value) and bool(value)
    return value is None


def named(value: Any) -> str:
    """What kind of value this is, in words, for a sentence: ``a text``, ``a list`` …"""
    if isinstance(value, Other):
        return value.what
    words = {
        type(None): "None", bool: "True or False", int: "a whole number", float: "a number",
        str: "a text", bytes: "bytes", list: "a list", dict: "a dict",
    }  # fmt: skip
    return words.get(type(value), "something else")
