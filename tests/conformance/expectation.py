"""What the etcd readers share: an expectation is looked up by its name, or it is not understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.conformance.case import NotUnderstood

#: Prose inside a case; everything else means something.
PROSE = frozenset({"comment", "note"})


def only(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Fails loudly unless every given field is known."""
    if unknown := set(given) - set(known) - PROSE:
        raise NotUnderstood(f"{what}: {', '.join(sorted(unknown))}")


def compare(
    where: str, expect: Mapping[str, Any], answer: Any, known: Mapping[str, Callable[..., Any]]
) -> int:
    """Compares every expectation with what its function finds in the answer; returns how many.

    A function takes the answer, and the expected value too if it needs it to know what to look at.
    """
    only(f"{where} expects", expect, known)
    for name, wanted in expect.items():
        if name in PROSE:
            continue
        look = known[name]
        found = look(answer, wanted) if look.__code__.co_argcount > 1 else look(answer)
        assert found == wanted, f"{where}: {name}: should be {wanted!r}, was {found!r}"
    return max(1, len(set(expect) - PROSE))
