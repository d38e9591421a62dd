"""What lives here: a dump as lines that know where they stand, so that an error can say it.

What may not live here: what the lines mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.address import Prefix, parse_ip
from k8snetlib.errors import BadAddress, BadDump


class Line(NamedTuple):
    """One line: its file, its number from 1, its words, and how far it is indented."""

    file: str
    number: int
    words: tuple[str, ...]
    indented: bool = False

    def __str__(self) -> str:
        return " ".join(self.words)

    @property
    def place(self) -> str:
        """``ip-route.txt, line 3``"""
        return f"{self.file}, line {self.number}"

    def error(self, problem: str, hint: str = "") -> BadDump:
        """An error about this line."""
        return BadDump(f"{self.place}: {problem}", hint)

    def after(self, word: str) -> str:
        """What stands behind a word; empty if the word is not there. Raises ``BadDump`` if nothing
        stands behind it."""
        if word not in self.words:
            return ""
        at = self.words.index(word) + 1
        if at == len(self.words):
            raise self.error(f"nothing stands behind '{word}'.", f"The line: {self}")
        return self.words[at]

    def number_after(self, word: str, default: int = 0) -> int:
        """The number behind a word."""
        text = self.after(word)
        if text and not (text.isascii() and text.isdigit()):
            raise self.error(f"'{word} {text}' is no number.")
        return int(text) if text else default

    def ip(self, text: str) -> str:
        """An IPv4 address of this line."""
        try:
            return parse_ip(text)
        except BadAddress as error:
            raise self.error(error.message, error.hint) from None

    def prefix(self, text: str, *, host_bits: bool = False) -> Prefix:
        """An IPv4 prefix of this line."""
        try:
            return Prefix.parse(text, host_bits=host_bits)
        except BadAddress as error:
            raise self.error(error.message, error.hint) from None


def lines(text: str, file: str) -> Iterator[Line]:
    """The lines that hold something."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = tuple(line.split())
        if words:
            yield Line(file, number, words, line[0].isspace())
