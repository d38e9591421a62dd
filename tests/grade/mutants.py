"""Notebooks that nobody would write: a good one, damaged by chance."""

from __future__ import annotations

import json
import random
from typing import Any

#: What stands where something else should stand.
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 4.5, 10**30, float("nan"), "", "x", "\x00", "\ud800", [], {}, [[]], [None],
    {"a": {"b": []}}, ["# answer: 04.lookup\n", 7], "# answer: 04.lookup\nlookup = 1", "x" * 100_000,
)  # fmt: skip
FORMATS: tuple[Any, ...] = (0, 1, 2, 3, 5, 99, "4", 4.0, None, True, -4, [4], {})


def mutant(good: bytes, dice: random.Random) -> bytes:
    """The notebook ``good`` after one to four kinds of damage."""
    data = good
    for _ in range(dice.randint(1, 4)):
        data = dice.choice(KINDS)(data, dice)
    return data


def cut(data: bytes, dice: random.Random) -> bytes:
    """Cut off, as by a broken upload."""
    return data[: dice.randrange(len(data) + 1)]


def flip(data: bytes, dice: random.Random) -> bytes:
    """Some bytes are others."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 20)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def insert(data: bytes, dice: random.Random) -> bytes:
    """Something was put in between."""
    at = dice.randrange(len(data) + 1)
    odd = (b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 5000, b"\x00", b'{"', b"9" * 6000, b"\n" * 1000)
    return data[:at] + dice.choice(odd) + data[at:]


def odd_value(data: bytes, dice: random.Random) -> bytes:
    """Somewhere in the document stands something of another type."""
    document = _read(data)
    place = document
    while isinstance(place, dict | list) and place:
        key: Any = (
            dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
        )
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or dice.random() < 0.3:
            place[key] = dice.choice(ODD)
            break
        place = inner
    return _written(document, data)


def foreign(data: bytes, dice: random.Random) -> bytes:
    """Another format of notebooks."""
    document = _read(data)
    if isinstance(document, dict):
        document["nbformat"] = dice.choice(FORMATS)
        document["nbformat_minor"] = dice.choice((*FORMATS, 5))
        if dice.random() < 0.5 and isinstance(document.get("cells"), list):
            document["worksheets"] = [{"cells": document.pop("cells")}]
    return _written(document, data)


def twice(data: bytes, dice: random.Random) -> bytes:
    """Cells stand there again, with the same ids, in another order."""
    document = _read(data)
    cells = document.get("cells") if isinstance(document, dict) else None
    if isinstance(cells, list) and cells:
        cells += [dice.choice(cells) for _ in range(dice.randint(1, 30))]
        dice.shuffle(cells)
    return _written(document, data)


def same_ids(data: bytes, dice: random.Random) -> bytes:
    """Every cell has the id of one answer."""
    document = _read(data)
    cells = document.get("cells") if isinstance(document, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, dict):
            cell["id"] = dice.choice(("ans-04-lookup", 7, None))
    return _written(document, data)


def huge(data: bytes, dice: random.Random) -> bytes:
    """An output of a megabyte or two."""
    document = _read(data)
    if isinstance(document, dict):
        document["metadata"] = {"much": ["x" * 1000] * dice.randint(1000, 2000)}
    return _written(document, data)


KINDS = (cut, flip, insert, odd_value, odd_value, foreign, twice, same_ids, huge)


def _read(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _written(document: Any, data: bytes) -> bytes:
    return data if document is None else json.dumps(document).encode()
