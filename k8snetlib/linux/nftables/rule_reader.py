"""What lives here: one rule of nftables, from its text to its statements.

What kube-proxy writes (``mark set mark or 0x4000``) and what nft lists (``meta mark set meta mark |
0x00004000``) are both read and give the same value.

Source: nft(8).
"""

from __future__ import annotations

from functools import lru_cache

from k8snetlib.linux.nftables.keys import (
    PROTOCOLS,
    Key,
    NftError,
    order,
    parse_key,
    parse_one,
)
from k8snetlib.linux.nftables.selectors import ALIASES, SELECTORS, Selector
from k8snetlib.linux.nftables.statements import (
    Flags,
    Match,
    Members,
    NatTo,
    Numgen,
    Refuse,
    Remember,
    Rule,
    Selectors,
    SetMark,
    SetRef,
    Statement,
    Verdict,
    Vmap,
    kinds_of,
)
from k8snetlib.linux.nftables.tokens import ENDS, Tokens

_VERDICTS = ("accept", "drop", "continue", "return")
_BITWISE = {"and": "&", "&": "&", "or": "|", "|": "|", "xor": "^", "^": "^"}
_FLAGS = ("random", "fully-random", "persistent")


@lru_cache(maxsize=65536)
def parse_rule(text: str, family: str = "ip") -> Rule:
    """The rule of a text, as it stands behind ``add rule FAMILY TABLE CHAIN``.

    Raises ``NftError`` for what nft would not take or what is not modelled here.
    """
    tokens = Tokens(text)
    rule = read_rule(tokens, family)
    if tokens.peek():
        raise tokens.error("expected the end")
    return rule


def read_rule(tokens: Tokens, family: str) -> Rule:
    """Reads a rule up to the end of its line (or ``;``, or ``}``)."""
    statements: list[Statement] = []
    comment = ""
    while tokens.peek() not in ENDS:
        if tokens.accept("comment"):
            comment = tokens.string()
            break
        statement = _in_context(_statement(tokens, family), statements)
        statements = [before for before in statements if not _implied(before, statement)]
        statements.append(statement)
    if not statements:
        raise tokens.error("expected a statement")
    return Rule(tuple(statements), comment)


def _in_context(statement: Statement, before: list[Statement]) -> Statement:
    """``th dport`` where it is known already that this is TCP: nft then says ``tcp dport``."""
    if not isinstance(statement, Match | Vmap) or isinstance(statement.left, Numgen):
        return statement
    proto = next((p for p in map(_proto_of, before) if p in ("tcp", "udp")), "")
    if not proto:
        return statement
    left = tuple(
        SELECTORS[one.words.replace("th ", f"{proto} ")] if one.words.startswith("th ") else one
        for one in statement.left
    )
    return statement._replace(left=left)


def _proto_of(statement: Statement) -> str:
    """The protocol that a packet has behind a statement ("" if any)."""
    if not isinstance(statement, Match):
        return ""
    if statement.left == (SELECTORS["meta l4proto"],) and not statement.negated:
        return PROTOCOLS.get(statement.right, "") if isinstance(statement.right, int) else ""
    return statement.left[0].proto


def _implied(before: Statement, after: Statement) -> bool:
    """True for a match of the protocol alone that what follows implies: nft leaves it out."""
    if not isinstance(before, Match) or before.left != (SELECTORS["meta l4proto"],):
        return False
    if not isinstance(after, Match | Vmap) or isinstance(after.left, Numgen):
        return False
    proto = _proto_of(before)
    return bool(proto) and any(one.proto == proto for one in after.left)


def _statement(tokens: Tokens, family: str) -> Statement:
    word = tokens.peek()
    if word in _VERDICTS:
        return Verdict(tokens.take())
    if word in ("jump", "goto"):
        return Verdict(tokens.take(), tokens.string())
    if word == "reject":
        return _reject(tokens)
    if word in ("dnat", "snat", "masquerade", "redirect"):
        return _nat(tokens, family)
    if word in ("add", "update"):
        return _remember(tokens)
    if word == "numgen":
        return _numgen(tokens)
    if tokens.accept("meta", "mark", "set") or tokens.accept("mark", "set"):
        return _set_mark(tokens)
    return _test(tokens)


def _reject(tokens: Tokens) -> Refuse:
    tokens.take("reject")
    if not tokens.accept("with"):
        return Refuse()
    if tokens.accept("tcp", "reset"):
        return Refuse("tcp-reset")
    if tokens.peek() not in ("icmp", "icmpv6"):
        raise tokens.error("expected 'tcp reset' or 'icmp …'")
    tokens.take()
    tokens.accept("type")
    return Refuse(tokens.take())


def _nat(tokens: Tokens, family: str) -> NatTo:
    kind = tokens.take()
    if tokens.peek() in ("ip", "ip6"):
        tokens.take()
    low = high = ports = None
    if tokens.accept("to"):
        where = tokens.take()
        address, ports = _address_and_ports(where, family)
        if address:
            kinds = "ipv6_addr" if family == "ip6" else "ipv4_addr"
            first, _, last = address.partition("-")
            low, high = _int(kinds, first), _int(kinds, last or first)
    flags = []
    while tokens.peek() in _FLAGS:
        flags.append(tokens.take())
        tokens.accept(",")
    return NatTo(kind, low, high, ports, tuple(flags), family)


def _int(kind: str, text: str) -> int:
    value = parse_one(kind, text)
    assert isinstance(value, int)
    return value


def _address_and_ports(text: str, family: str) -> tuple[str, tuple[int, int] | None]:
    if text.startswith("["):
        address, _, ports = text[1:].partition("]")
        ports = ports.removeprefix(":")
    elif family == "ip6" and not text.startswith(":"):
        address, ports = text, ""
    else:
        address, _, ports = text.partition(":")
    if not ports:
        return address, None
    first, _, last = ports.partition("-")
    return address, (_int("inet_service", first), _int("inet_service", last or first))


def _remember(tokens: Tokens) -> Remember:
    verb, name = tokens.take(), tokens.take()
    if not name.startswith("@"):
        raise NftError(f"Error: {verb} {name}: a set is named with @.")
    tokens.take("{")
    left = _selectors(tokens)
    timeout = tokens.seconds() if tokens.accept("timeout") else 0
    tokens.take("}")
    return Remember(verb, name[1:], left, timeout)


def _numgen(tokens: Tokens) -> Vmap:
    tokens.take("numgen")
    if not tokens.accept("random"):
        raise NftError("nft: only 'numgen random' is modelled.")
    tokens.take("mod")
    left = Numgen(tokens.number())
    tokens.take("vmap")
    return Vmap(left, _pairs(tokens, ("number",)))


def _pairs(tokens: Tokens, kinds: tuple[str, ...]) -> tuple[tuple[Key, Verdict], ...]:
    tokens.take("{")
    pairs: list[tuple[Key, Verdict]] = []
    while not tokens.accept("}"):
        key = _key(tokens, kinds)
        tokens.take(":")
        word = tokens.take()
        pairs.append((key, Verdict(word, tokens.string() if word in ("jump", "goto") else "")))
        tokens.skip(",", "\n")
    return tuple(sorted(pairs, key=lambda pair: order(kinds, pair[0])))


def _set_mark(tokens: Tokens) -> SetMark:
    if not (tokens.accept("meta", "mark") or tokens.accept("mark")):
        return SetMark(tokens.number())
    bits, value = 0xFFFFFFFF, 0
    while tokens.peek() in _BITWISE:
        op, number = _BITWISE[tokens.take()], tokens.number()
        if op == "&":
            bits, value = bits & number, value & number
        elif op == "|":
            bits, value = bits & ~number, value | number
        else:
            value ^= number
    return SetMark(value, bits)


# -- tests ----------------------------------------------------------------------------------------


def _selectors(tokens: Tokens) -> Selectors:
    found = [_selector(tokens)]
    while tokens.accept("."):
        found.append(_selector(tokens))
    return tuple(found)


def _selector(tokens: Tokens) -> Selector:
    words = [tokens.peek(n) for n in range(3)]
    for length in (3, 2, 1):
        name = " ".join(words[:length])
        name = ALIASES.get(name, name)
        if name in SELECTORS:
            for _ in range(length):
                tokens.take()
            return SELECTORS[name]
    here = ", ".join(SELECTORS)
    raise NftError(f"nft: '{' '.join(words).strip()}' is not modelled.", f"Here: {here}.")


def _test(tokens: Tokens) -> Match | Vmap:
    left = _selectors(tokens)
    kinds = kinds_of(left)
    if tokens.accept("vmap"):
        if tokens.peek().startswith("@"):
            return Vmap(left, SetRef(tokens.take()[1:]))
        return Vmap(left, _pairs(tokens, kinds))
    bits = None
    if kinds == ("mark",) and tokens.peek() in ("and", "&"):
        tokens.take()
        bits = tokens.number()
    negated = tokens.accept("!=")
    if not negated:
        tokens.accept("==")
    word = tokens.peek()
    if word.startswith("@"):
        return Match(left, SetRef(tokens.take()[1:]), negated)
    if word == "{":
        keys = _members(tokens, kinds)
        if len(keys) > 1 or len(kinds) > 1:
            return Match(left, Members(keys), negated)
        key = keys[0]
        if kinds[0] in ("ct_state", "ct_status") and isinstance(key, int):
            return Match(left, Flags(key), negated)
        return Match(left, key, negated)
    if kinds[0] in ("ct_state", "ct_status"):
        return Match(left, Flags(_bits(tokens, kinds[0])), negated)
    return Match(left, _key(tokens, kinds), negated, bits)


def _bits(tokens: Tokens, kind: str) -> int:
    bits = _int(kind, tokens.take())
    while tokens.accept(",") or tokens.accept("|"):
        bits |= _int(kind, tokens.take())
    return bits


def _members(tokens: Tokens, kinds: tuple[str, ...]) -> tuple[Key, ...]:
    tokens.take("{")
    keys: list[Key] = []
    while not tokens.accept("}"):
        keys.append(_key(tokens, kinds))
        tokens.skip(",", "\n")
    if not keys:
        raise tokens.error("a set without elements")
    return tuple(sorted(set(keys), key=lambda key: order(kinds, key)))


def _key(tokens: Tokens, kinds: tuple[str, ...]) -> Key:
    words = [tokens.take()]
    while tokens.accept("."):
        words.append(tokens.take())
    return parse_key(kinds, " . ".join(words))
