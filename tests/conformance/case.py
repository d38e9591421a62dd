"""What the readers of conformance files share: a case, and the list of what is left out on purpose.

A reader is a module of this folder, called as its files are (``etcd_kv`` reads ``etcd_kv*.json``),
with one function ``cases(document)``. A case that it does not understand must fail: raise
``NotUnderstood``. What a case asks for that the model leaves out on purpose stands in
``not-modelled.toml`` by its op or expectation, with the reason; ask with ``left_out``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class NotUnderstood(AssertionError):
    """The case holds an op, an expectation or a field that the reader does not know."""


class Case(NamedTuple):
    """One case: its name in the file, and how to run it (an AssertionError says what differs).

    ``run`` returns how many assertions were made and the names of those left out on purpose.
    """

    name: str
    run: Callable[[], tuple[int, tuple[str, ...]]]


def known(fields: Iterable[str], names: Collection[str]) -> None:
    """Raises ``NotUnderstood`` for a field that is none of these names."""
    unknown = sorted(set(fields) - set(names))
    if unknown:
        raise NotUnderstood(f"fields {', '.join(unknown)}")


@cache
def _not_modelled() -> dict[str, dict[str, str]]:
    return tomllib.loads((HERE / "not-modelled.toml").read_text(encoding="utf-8"))


def left_out(file: str, name: str) -> str | None:
    """The reason why ``name`` (an op or expectation) of a kind of file is left out, or None."""
    return _not_modelled().get(file, {}).get(name)
