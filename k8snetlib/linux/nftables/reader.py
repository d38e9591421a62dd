"""What lives here: the commands of nft, from text to operations: ``add rule …``, ``flush chain …``.

Both forms are read: commands, one a line, and the nested form that ``nft list ruleset`` prints
(``table ip NAME { … }``), which is the same as adding everything in it.

What may not live here: what the operations do (``ruleset``).

Source: nft(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.linux.nftables.keys import NftError
from k8snetlib.linux.nftables.rule_reader import parse_rule, read_rule
from k8snetlib.linux.nftables.statements import Rule, Verdict
from k8snetlib.linux.nftables.table import Base, NamedSet
from k8snetlib.linux.nftables.tokens import Tokens, parse_time

FAMILIES = ("ip", "ip6")
_OTHER_FAMILIES = ("inet", "arp", "bridge", "netdev")
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50,
              "srcnat": 100}  # fmt: skip
_VERBS = ("add", "create", "insert", "delete", "destroy", "flush")
_KINDS = ("table", "chain", "rule", "set", "map", "element", "ruleset")


class Item(NamedTuple):
    """One element as it is written: its key and value as text (the set knows their types)."""

    key: str
    comment: str = ""
    data: str = ""
    timeout: int = 0
    expires: float | None = None


class Operation(NamedTuple):
    """One command: what is done to which thing. ``value`` is what it needs: a comment of a table,
    a chain's (base, comment), a set's definition, a rule, elements."""

    verb: str
    kind: str
    family: str = "ip"
    table: str = ""
    name: str = ""
    comment: str = ""
    base: Base | None = None
    rule: Rule | None = None
    definition: NamedSet | None = None
    items: tuple[Item, ...] = ()


def read(text: str) -> Iterator[Operation]:
    """The operations of a text, in order. Raises ``NftError`` at the first that is none."""
    for part in _parts(text):
        plain = _PLAIN.match(part)
        if plain is None or ";" in part:
            yield from _read(Tokens(part))
            continue
        verb, kind, family, table, name, rest = plain.groups()
        rule = parse_rule(rest, family) if kind == "rule" else None
        yield Operation(verb, kind, family, table, name, rule=rule)


#: By far the most frequent commands: a rule alone, a chain alone.
_PLAIN = re.compile(r"(?:(?=add rule)|(?=(?:add|flush|delete) chain [^{]*$))"
                    r"(\w+) (\w+) (ip6?) (\S+) (\S+) ?(.*)$")  # fmt: skip


def _parts(text: str) -> Iterator[str]:
    """A text in lines; a line whose braces stay open goes on in the next."""
    waiting: list[str] = []
    depth = 0
    for line in text.splitlines():
        bare = _QUOTED.sub("", line) if '"' in line or "#" in line else line
        depth += bare.count("{") - bare.count("}")
        waiting.append(line)
        if depth <= 0 and not line.endswith("\\"):
            yield "\n".join(waiting)
            waiting, depth = [], 0
    if waiting:
        yield "\n".join(waiting)


_QUOTED = re.compile(r'"[^"]*"|#.*')


def _read(tokens: Tokens) -> Iterator[Operation]:
    while True:
        tokens.skip("\n", ";")
        word = tokens.peek()
        if not word:
            return
        if word == "table":
            tokens.take()
            yield from _table(tokens, *_place(tokens))
        elif word in _VERBS:
            yield from _command(tokens)
        else:
            raise NftError(
                f"Error: syntax error: '{word}' is no command here.",
                f"Here: {', '.join(_VERBS)}, or a table in braces.",
            )


def _place(tokens: Tokens) -> tuple[str, str]:
    family = "ip"
    if tokens.peek() in FAMILIES:
        family = tokens.take()
    elif tokens.peek() in _OTHER_FAMILIES:
        raise NftError(f"nft: tables of family {tokens.peek()} are not modelled.",
                       "Here: ip; and ip6, which is kept and listed.")  # fmt: skip
    return family, tokens.string()


def _command(tokens: Tokens) -> Iterator[Operation]:
    verb, kind = tokens.take(), tokens.take()
    if kind not in _KINDS:
        raise NftError(f"nft: '{verb} {kind}' is not modelled.", f"Here: {', '.join(_KINDS)}.")
    if kind == "ruleset":
        if verb != "flush":
            raise NftError(f"Error: syntax error: '{verb} ruleset'.")
        yield Operation(verb, kind)
        return
    family, table = _place(tokens)
    if kind == "table":
        if verb in ("add", "create") and tokens.peek() == "{":
            first, *rest = _table(tokens, family, table)
            yield first._replace(verb=verb)
            yield from rest
        else:
            yield Operation(verb, kind, family, table)
        return
    name = tokens.string()
    if kind == "rule":
        yield Operation(verb, kind, family, table, name, rule=read_rule(tokens, family))
    elif kind == "element":
        yield Operation(verb, kind, family, table, name, items=_items(tokens))
    elif verb in ("add", "create") and kind == "chain":
        yield from _chain(tokens, verb, family, table, name)
    elif verb in ("add", "create"):
        yield from _set(tokens, verb, kind, family, table, name)
    else:
        yield Operation(verb, kind, family, table, name)


def _table(tokens: Tokens, family: str, name: str) -> list[Operation]:
    inner: list[Operation] = []
    later: list[Operation] = []
    comment = ""
    tokens.take("{")
    while not _closed(tokens):
        word = tokens.take()
        if word == "comment":
            comment = tokens.string()
        elif word in ("set", "map"):
            inner += _set(tokens, "add", word, family, name, tokens.string())
        elif word == "chain":
            first, *rules = _chain(tokens, "add", family, name, tokens.string())
            inner.append(first)
            later += rules
        else:
            raise NftError(f"nft: '{word}' in a table is not modelled.", "Here: set, map, chain.")
    # As nft does: elements may lead to chains that come later in the text, so they come last.
    elements = [op for op in inner if op.kind == "element"]
    inner = [op for op in inner if op.kind != "element"]
    return [Operation("add", "table", family, name, comment=comment), *inner, *later, *elements]


def _closed(tokens: Tokens) -> bool:
    tokens.skip("\n", ";")
    return tokens.accept("}")


def _chain(tokens: Tokens, verb: str, family: str, table: str, name: str) -> Iterator[Operation]:
    base: Base | None = None
    comment = ""
    rules: list[Rule] = []
    if tokens.accept("{"):
        while not _closed(tokens):
            word = tokens.peek()
            if word == "type" and base is None:
                base = _base(tokens)
            elif word == "policy":
                tokens.take()
                if base is None:
                    raise NftError(f"Error: chain {name} is no base chain: it has no policy.")
                base = base._replace(policy=tokens.take())
            elif word == "comment":
                tokens.take()
                comment = tokens.string()
            else:
                rules.append(read_rule(tokens, family))
    yield Operation(verb, "chain", family, table, name, comment, base)
    for rule in rules:
        yield Operation("add", "rule", family, table, name, rule=rule)


def _base(tokens: Tokens) -> Base:
    tokens.take("type")
    kind = tokens.take()
    tokens.take("hook")
    hook = tokens.take().upper()
    tokens.take("priority")
    word = tokens.take()
    if word in PRIORITIES:
        priority = PRIORITIES[word]
        if tokens.peek() in ("+", "-"):
            sign = -1 if tokens.take() == "-" else 1
            priority += sign * tokens.number()
    else:
        try:
            priority = int(word)
        except ValueError:
            raise NftError(f"Error: '{word}' is no priority.",
                           f"A number, or {', '.join(PRIORITIES)}.") from None  # fmt: skip
    return Base(kind, hook, priority)


def _set(
    tokens: Tokens, verb: str, word: str, family: str, table: str, name: str
) -> Iterator[Operation]:
    kinds: list[str] = []
    fields = {"data": "", "comment": "", "flags": (), "timeout": 0, "size": 0}
    items: tuple[Item, ...] = ()
    tokens.take("{")
    while not _closed(tokens):
        field = tokens.take()
        if field == "type":
            kinds.append(tokens.take())
            while tokens.accept("."):
                kinds.append(tokens.take())
            if tokens.accept(":"):
                fields["data"] = tokens.take()
        elif field == "flags":
            flags = [tokens.take()]
            while tokens.accept(","):
                flags.append(tokens.take())
            fields["flags"] = tuple(flags)
        elif field == "timeout":
            fields["timeout"] = tokens.seconds()
        elif field == "size":
            fields["size"] = tokens.number()
        elif field == "comment":
            fields["comment"] = tokens.string()
        elif field == "elements":
            tokens.take("=")
            items = _items(tokens)
        else:
            raise NftError(f"nft: '{field}' of a {word} is not modelled.",
                           "Here: type, flags, timeout, size, comment, elements.")  # fmt: skip
    if word == "map" and not fields["data"]:
        raise NftError(f"Error: map {name} needs a type KEY : VALUE.")
    definition = NamedSet(name, tuple(kinds), **fields)  # type: ignore[arg-type]
    yield Operation(verb, word, family, table, name, definition=definition)
    if items:
        yield Operation("add", "element", family, table, name, items=items)


def _items(tokens: Tokens) -> tuple[Item, ...]:
    tokens.take("{")
    items: list[Item] = []
    while True:
        tokens.skip("\n", ",")
        if tokens.accept("}"):
            return tuple(items)
        words = [tokens.take()]
        while tokens.accept("."):
            words.append(tokens.take())
        item = Item(" . ".join(words))
        while tokens.peek() not in (",", "}", "\n"):
            word = tokens.take()
            if word == "timeout":
                item = item._replace(timeout=tokens.seconds())
            elif word == "expires":
                item = item._replace(expires=parse_time(tokens.take()))
            elif word == "comment":
                item = item._replace(comment=tokens.string())
            elif word == ":":
                value = tokens.string()
                if value in ("jump", "goto"):
                    value += f" {tokens.string()}"
                item = item._replace(data=value)
            else:
                raise tokens.error(f"'{word}' in an element")
        items.append(item)


def verdict_of(text: str) -> Verdict:
    """``drop``, ``goto NAME`` … of a map's element."""
    word, _, chain = text.partition(" ")
    return Verdict(word, chain)
