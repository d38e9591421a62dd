"""What lives here: reading one manifest's fields, with an error that says exactly where.

A ``Fields`` is a mapping of a document together with its place: file, document, line and the path
of fields that led to it. What is missing or has the wrong type raises ``BadManifest`` with that
place, as ``pods.yaml: document 3, line 41: Pod default/web1: spec.nodeName is missing``.

What may not live here: what any kind of object means (see ``objects``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from k8snetlib.address import Prefix, parse_ip
from k8snetlib.errors import BadAddress, BadManifest, nearest


class Place(NamedTuple):
    """Where a document stands. ``number`` counts the documents of a file from 1; ``what`` names
    the object, once its kind and name are known."""

    file: str
    number: int
    what: str = ""

    def at(self, line: int) -> str:
        """The place and a line (0: unknown) in words."""
        lines = f", line {line}" if line else ""
        what = f": {self.what}" if self.what else ""
        return f"{self.file}: document {self.number}{lines}{what}"


class Lines(dict[str, Any]):
    """A mapping that remembers on which line of its file each key stood."""

    __slots__ = ("line", "lines")

    def __init__(self) -> None:
        super().__init__()
        self.line = 0
        self.lines: dict[str, int] = {}


class Fields:
    """One mapping of a document. Parameters: its ``data``, its ``place``, the ``path`` to it."""

    __slots__ = ("data", "path", "place")

    def __init__(self, data: Mapping[str, Any], place: Place, path: str = "") -> None:
        self.data = data
        self.place = place
        self.path = path

    def error(self, key: str, problem: str, hint: str = "") -> BadManifest:
        """An error about one field of this mapping."""
        return BadManifest(f"{self.place.at(self.line(key))}: {self._name(key)} {problem}", hint)

    def line(self, key: str) -> int:
        """The line of a field, or else that of the mapping; 0 if unknown."""
        if isinstance(self.data, Lines):
            return self.data.lines.get(key, self.data.line)
        return 0

    def with_more(self, more: Mapping[str, Any]) -> Fields:
        """The same mapping with more fields in it, which stand nowhere in the file."""
        data = Lines()
        data.update(self.data)
        data.update(more)
        if isinstance(self.data, Lines):
            data.line, data.lines = self.data.line, self.data.lines
        return Fields(data, self.place, self.path)

    def _name(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """True if the field is there and not null."""
        return self.data.get(key) is not None

    def _get(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self.data.get(key)
        if value is None:
            near = nearest(key, tuple(map(str, self.data)), 1)
            raise self.error(key, "is missing.", f"There is '{near[0]}'." if near else "")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"must be {what}, not {value!r}.")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without ``default`` it must be there and not empty."""
        if default is not None and not self.has(key):
            return default
        value: str = self._get(key, str, "text (put it in quotes)")
        if not value and default is None:
            raise self.error(key, "is empty.")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """A text out of a closed set."""
        value = self.text(key, default)
        if value not in allowed:
            near = nearest(value, allowed)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise self.error(key, f"is '{value}'.", f"{meant}Allowed: {', '.join(allowed)}.")
        return value

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number in a range."""
        if default is not None and not self.has(key):
            return default
        value: int = self._get(key, int, "a whole number")
        if not low <= value <= high:
            raise self.error(key, f"is {value}.", f"Allowed: {low} to {high}.")
        return value

    def port(self, key: str) -> int:
        """A port number."""
        return self.number(key, 1, 65535)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return bool(self._get(key, bool, "true or false")) if self.has(key) else default

    def ip(self, key: str) -> str:
        """An IPv4 address."""
        text = self.text(key)
        try:
            return parse_ip(text)
        except BadAddress as error:
            raise self.error(key, f"is wrong: {error.message}", error.hint) from None

    def prefix(self, key: str) -> Prefix:
        """An IPv4 prefix."""
        text = self.text(key)
        try:
            return Prefix.parse(text)
        except BadAddress as error:
            raise self.error(key, f"is wrong: {error.message}", error.hint) from None

    def fields(self, key: str, *, optional: bool = False) -> Fields:
        """A mapping below this one; with ``optional`` an absent one counts as empty."""
        if optional and not self.has(key):
            return Fields({}, self.place, self._name(key))
        value = self._get(key, Mapping, "a mapping")
        return Fields(value, self.place, self._name(key))

    def each(self, key: str) -> Iterator[Fields]:
        """The mappings of a list; an absent list counts as empty."""
        if not self.has(key):
            return
        for at, value in enumerate(self._get(key, list, "a list")):
            name = f"{self._name(key)}[{at}]"
            if not isinstance(value, Mapping):
                raise self.error(f"{key}[{at}]", f"must be a mapping, not {value!r}.")
            yield Fields(value, self.place, name)

    def texts(self, key: str) -> list[str]:
        """A list of texts; an absent list counts as empty."""
        if not self.has(key):
            return []
        values = self._get(key, list, "a list")
        for at, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(f"{key}[{at}]", f"must be text, not {value!r}.")
        return list(values)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A mapping of texts, as labels are, in its own order."""
        found = self.fields(key, optional=True)
        return tuple((str(name), found.text(name, "")) for name in found.data)
