"""What lives here: label selectors as they are typed behind ``-l``.

Source: k8s.io/apimachinery's pkg/labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from k8snetlib.errors import BadCommand

_SET = re.compile(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)")
_EQUAL = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)")


class Requirement(NamedTuple):
    """One condition: a key, how it is compared (in, notin, exists, !), and with what."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """True if labels meet it."""
        if self.operator in ("exists", "!"):
            return (self.key in labels) == (self.operator == "exists")
        inside = self.key in labels and labels[self.key] in self.values
        return inside == (self.operator == "in")


class Selector(NamedTuple):
    """All conditions of a selector."""

    requirements: tuple[Requirement, ...]

    def fits(self, labels: Mapping[str, str]) -> bool:
        """True if labels meet all of them."""
        return all(requirement.fits(labels) for requirement in self.requirements)


def read_selector(text: str) -> Selector:
    """``app=web,tier!=db,!old,zone in (a, b)``; raises ``BadCommand``."""
    parts = re.split(r",(?![^(]*\))", text)
    return Selector(tuple(_requirement(part.strip()) for part in parts if part.strip()))


def _requirement(text: str) -> Requirement:
    if found := _SET.fullmatch(text):
        return Requirement(found[1], found[2], tuple(v.strip() for v in found[3].split(",")))
    if found := _EQUAL.fullmatch(text):
        return Requirement(found[1], "notin" if found[2] == "!=" else "in", (found[3],))
    if re.fullmatch(r"!?[\w./-]+", text):
        return Requirement(text.lstrip("!"), "!" if text.startswith("!") else "exists")
    raise BadCommand(
        f'error: unable to parse requirement: found "{text}"', "Write key=value, or key in (a,b)."
    )
