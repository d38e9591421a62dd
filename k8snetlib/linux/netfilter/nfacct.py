"""What lives here: ``-m nfacct``: a named counter that lies outside the rules.

Simplified here: it matches every packet, as the real one does, and counts nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.linux.netfilter.probe import Test


class Nfacct(NamedTuple):
    """``-m nfacct --nfacct-name NAME``: always true."""

    name: str

    def __str__(self) -> str:
        return f"-m nfacct --nfacct-name {self.name}"

    def test(self) -> Test | None:
        """The test that a packet has to pass."""
        return None
