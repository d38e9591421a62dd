"""What lives here: the text of nft, cut into words."""

from __future__ import annotations

import re

from k8snetlib.linux.nftables.keys import NftError

_TOKEN = re.compile(r'"[^"\n]*"|\\\n|\n|#[^\n]*|[{};,]|!=|==|[^\s{};,"#]+')
_TIME = re.compile(r"(\d+)(ms|d|h|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_END = [""] * 4
ENDS = frozenset({"\n", ";", "}", ""})


class Tokens:
    """The words of a text, read one by one; ``""`` is the end."""

    __slots__ = ("_at", "_words")

    def __init__(self, text: str) -> None:
        words: list[str] = _TOKEN.findall(text)
        if "#" in text or "\\" in text:
            words = [w for w in words if w[0] not in "#\\"]
        self._words = words + _END
        self._at = 0

    def peek(self, ahead: int = 0) -> str:
        """The next word (or one a few words on), which stays."""
        return self._words[self._at + ahead]

    def take(self, expected: str = "") -> str:
        """The next word; raises ``NftError`` if it is not the one expected."""
        word = self._words[self._at]
        if not word or (expected and word != expected):
            raise self.error(f"expected {expected or 'more'}")
        self._at += 1
        return word

    def accept(self, word: str, *more: str) -> bool:
        """Takes these words if they come next."""
        at, words = self._at, self._words
        if words[at] != word:
            return False
        for n, other in enumerate(more, 1):
            if words[at + n] != other:
                return False
        self._at = at + 1 + len(more)
        return True

    def skip(self, *words: str) -> None:
        """Passes over any of these words."""
        while self._words[self._at] in words:
            self._at += 1

    def string(self) -> str:
        """A word, or a text in quotation marks without them."""
        return self.take().strip('"')

    def number(self) -> int:
        """A number, decimal or hexadecimal."""
        word = self.take()
        try:
            return int(word, 0)
        except ValueError:
            raise self.error(f"'{word}' is no number") from None

    def seconds(self) -> int:
        """A duration, as ``3h``, ``1m30s`` or a number of seconds."""
        return round(parse_time(self.take()))

    def error(self, what: str) -> NftError:
        """An error that shows the place."""
        near = [w for w in self._words[max(0, self._at - 6) : self._at] if w != "\n"]
        here = self.peek()
        shown = "the end of the line" if here in ("", "\n") else f"'{here}'"
        after = f" after '{' '.join(near)}'" if near else ""
        return NftError(f"Error: syntax error: {what}, not {shown}{after}.")


def parse_time(text: str) -> float:
    """A duration in seconds."""
    if text.isdigit():
        return float(text)
    parts = _TIME.findall(text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        raise NftError(f"Error: '{text}' is no duration.", "For example 3h, 1m30s, 10800s.")
    return sum(int(n) * _SECONDS[unit] for n, unit in parts)
