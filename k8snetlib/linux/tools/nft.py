"""What lives here: ``nft``, which this version cannot show; it says what can be asked instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


def run(ns: Netns, words: list[str]) -> str:
    """``nft list ruleset``: refused. The rules here are iptables rules, and are shown as such."""
    raise BadCommand(
        f"'nft {' '.join(words)}' is not modelled.".replace(" '", "'"),
        "The rules of this namespace are iptables rules: iptables-save shows them all.",
    )
