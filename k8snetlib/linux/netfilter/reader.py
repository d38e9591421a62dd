"""What lives here: the words of a rule, and how to complain about one.

A complaint names line and column, and what was expected there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from k8snetlib.address import Prefix
from k8snetlib.errors import BadAddress, K8sNetError


class RuleError(K8sNetError):
    """A rule's text that cannot be read; the message names line and column (both from 1)."""


class Word(NamedTuple):
    """One word of a rule and where it began."""

    text: str
    column: int


_WORDS = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))""")


def words_of(text: str) -> list[Word]:
    """Splits a line as iptables-restore does: blanks separate, double quotes keep together."""
    found, at = [], 0
    while at < len(text) and text[at:].strip():
        match = _WORDS.match(text, at)
        assert match is not None
        double, single, plain = match.groups()
        word = re.sub(r"\\(.)", r"\1", double) if double is not None else single
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        found.append(Word(plain if word is None else word, start + 1))
        at = match.end()
    return found


def _halves(word: Word) -> list[Word]:
    """``--dport=80`` is ``--dport 80``, as getopt reads it."""
    option, equals, value = word.text.partition("=")
    if not equals or not re.fullmatch(r"--[a-z][a-z-]*", option):
        return [word]
    return [Word(option, word.column), Word(value, word.column + len(option) + 1)]


class Reader:
    """Walks through the words of one rule and knows how to complain."""

    def __init__(self, words: list[Word], line: int = 1, text: str = "") -> None:
        self.words = [part for word in words for part in _halves(word)]
        self.at, self.line, self.text = 0, line, text

    def __bool__(self) -> bool:
        return self.at < len(self.words)

    def peek(self) -> str:
        """The next word, or nothing at the end."""
        return self.words[self.at].text if self else ""

    def take(self, expected: str) -> str:
        """The next word; complains that ``expected`` is missing at the end of the line."""
        if not self:
            raise self.error(f"the line ends where {expected} should stand")
        self.at += 1
        return self.words[self.at - 1].text

    def error(self, what: str, expected: str = "", back: int = 0) -> RuleError:
        """A complaint about the word that comes next (or the one ``back`` words ago)."""
        at = self.at - back
        column = self.words[at].column if at < len(self.words) else len(self.text) + 1
        hint = f"Expected {expected}." if expected else ""
        return RuleError(f"Line {self.line}, column {column}: {what}.", hint)

    def number(self, expected: str, high: int = 0xFFFFFFFF) -> int:
        """The next word as a number, decimal or 0x…; complains about anything else."""
        word = self.take(expected)
        try:
            value = int(word, 0)
        except ValueError:
            raise self.error(f"'{word}' is no number", expected, back=1) from None
        if not 0 <= value <= high:
            raise self.error(f"{word} is out of range", f"{expected}, 0 to {high}", back=1)
        return value

    def port_range(self, joint: str = ":") -> tuple[int, int]:
        """``80`` or ``80:90``."""
        word = self.take("a port")
        parts = word.split(joint)
        named = [{"": default}.get(p, p) for p, default in zip(parts, ("0", "65535"), strict=False)]
        values = [int(p) if p.isdigit() else -1 for p in named]
        if not 1 <= len(parts) <= 2 or any(not 0 <= v <= 65535 for v in values):
            raise self.error(f"'{word}' is no port", f"0 to 65535, or a range LOW{joint}HIGH", 1)
        if values[0] > values[-1]:
            raise self.error(f"the range {word} runs backwards", "the lower port first", back=1)
        return values[0], values[-1]

    def prefix(self) -> Prefix:
        """An address or a network; a dotted netmask is taken too."""
        word = self.take("an address")
        address, slash, length = word.partition("/")
        if slash and "." in length:
            bits = bin(int.from_bytes(bytes(map(int, length.split("."))), "big")).count("1")
            word = f"{address}/{bits}"
        try:
            return Prefix.parse(word, host_bits=True)
        except BadAddress as bad:
            raise self.error(f"'{word}' is no address", "e.g. 10.1.0.0/16", back=1) from bad


def value_and_mask(words: Reader) -> tuple[int, int]:
    """``0x4000/0x4000``; without a mask all bits count."""
    word = words.take("a mark")
    value, _, bits = word.partition("/")
    try:
        return int(value, 0), int(bits, 0) if bits else 0xFFFFFFFF
    except ValueError:
        raise words.error(f"'{word}' is no mark", "VALUE or VALUE/MASK", back=1) from None
