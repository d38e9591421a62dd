"""What lives here: tables of nftables as ``nft list`` prints them. Compared with nft 1.0.6."""

from __future__ import annotations

from collections.abc import Iterable

from k8snetlib.linux.nftables.keys import PER_LINE, Key, One, order, show_key, show_one
from k8snetlib.linux.nftables.reader import PRIORITIES
from k8snetlib.linux.nftables.statements import Verdict, show_time
from k8snetlib.linux.nftables.table import Base, Chain, Element, NamedSet, Table

#: How far from a priority with a name nft still counts from that name.
_NEAR = 10
#: Names of priorities that only one hook has.
_ONLY = {"dstnat": "PREROUTING", "srcnat": "POSTROUTING"}


def list_table(table: Table, now: float | None) -> str:
    """``nft list table``; ``now`` is the model's time in seconds (elements expire); None: without
    elements whose time runs."""
    lines = [f"table {table.full_name} {{"]
    if table.comment:
        lines.append(f'\tcomment "{table.comment}"')
    blocks = [_set(table, one, now) for one in table.sets.values()]
    blocks += [_chain(chain) for chain in table.chains.values()]
    for n, block in enumerate(blocks):
        lines += [""] * (n > 0) + block
    return "\n".join([*lines, "}"])


def list_chain(table: Table, name: str) -> str:
    """``nft list chain``."""
    return _in_table(table, [_chain(table.chains[name])])


def list_set(table: Table, name: str, now: float | None) -> str:
    """``nft list set``, ``nft list map``."""
    return _in_table(table, [_set(table, table.sets[name], now)])


def list_sets(table: Table, word: str, now: float | None) -> str:
    """``nft list sets`` or ``nft list maps``, for one table."""
    return _in_table(table, [_set(table, s, now) for s in table.sets.values() if s.word == word])


def _in_table(table: Table, blocks: Iterable[list[str]]) -> str:
    lines = [line for block in blocks for line in block]
    return "\n".join([f"table {table.full_name} {{", *lines, "}"])


def list_base(table: Table, name: str) -> list[str]:
    """The commands that make a table, and a base chain in it without its rules."""
    base = table.chains[name].base
    assert base is not None
    comment = f' {{ comment "{table.comment}" ; }}' if table.comment else ""
    return [
        f"add table {table.full_name}{comment}",
        f"add chain {table.full_name} {name} {{ {_hooked(base)} }}",
    ]


def _hooked(base: Base) -> str:
    kind, hook, _, policy = base
    return f"type {kind} hook {hook.lower()} priority {show_priority(base)}; policy {policy};"


def _chain(chain: Chain) -> list[str]:
    lines = [f"\tchain {chain.name} {{"]
    if chain.comment:
        lines.append(f'\t\tcomment "{chain.comment}"')
    if chain.base is not None:
        lines.append(f"\t\t{_hooked(chain.base)}")
    return [*lines, *(f"\t\t{rule}" for rule in chain.rules), "\t}"]


def show_priority(base: Base) -> str:
    """A priority in words where it has a name near by: ``dstnat - 10``."""
    for name, value in PRIORITIES.items():
        distance = base.priority - value
        if abs(distance) <= _NEAR and base.hook == _ONLY.get(name, base.hook):
            if not distance:
                return name
            return f"{name} {'+' if distance > 0 else '-'} {abs(distance)}"
    return str(base.priority)


def _set(table: Table, one: NamedSet, now: float | None) -> list[str]:
    lines = [f"\t{one.word} {one.name} {{"]
    data = f" : {one.data}" if one.data else ""
    lines.append(f"\t\ttype {' . '.join(one.kinds)}{data}")
    if one.size:
        lines.append(f"\t\tsize {one.size}")
    flags = [flag for flag in _FLAGS if flag in one.flags]
    if flags and flags != (["timeout"] if one.timeout else []):
        lines.append(f"\t\tflags {','.join(flags)}")
    if one.timeout:
        lines.append(f"\t\ttimeout {show_time(one.timeout)}")
    if one.comment:
        lines.append(f'\t\tcomment "{one.comment}"')
    lines += _elements(table, one, now)
    return [*lines, "\t}"]


_FLAGS = ("constant", "interval", "dynamic", "timeout")


def _elements(table: Table, one: NamedSet, now: float | None) -> list[str]:
    elements: dict[Key, Element] = {
        key: e
        for key, e in one.elements.items()
        if e.expires is None or (now is not None and e.expires > now)
    }
    for value, (timeout, end) in table.live.get(one.name, {}).items():
        if now is not None and end > now:
            elements[value] = Element(timeout=timeout, expires=end)
    if not elements:
        return []
    keys = sorted(elements, key=lambda key: order(one.kinds, key))
    shown = [_element(one, key, elements[key], now) for key in keys]
    width = 1 if len(one.kinds) > 1 else PER_LINE.get(one.kinds[0], 1)
    rows = [", ".join(shown[n : n + width]) for n in range(0, len(shown), width)]
    text = ",\n\t\t\t     ".join(rows)
    return f"\t\telements = {{ {text} }}".split("\n")


def _element(one: NamedSet, key: Key, element: Element, now: float | None) -> str:
    text = show_key(one.kinds, key, element=True)
    if element.timeout and element.timeout != one.timeout:
        text += f" timeout {show_time(element.timeout)}"
    if now is not None and element.expires is not None and element.expires != float("inf"):
        text += f" expires {show_time(element.expires - now)}"
    if element.comment:
        text += f' comment "{element.comment}"'
    if element.data is not None:
        text += f" : {_data(one, element.data)}"
    return text


def _data(one: NamedSet, data: Verdict | One) -> str:
    return str(data) if isinstance(data, Verdict) else show_one(one.data, data)
