"""What lives here: ``hostname``. A pod's is the pod's name, a node's the node's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


def run(ns: Netns, words: list[str]) -> str:
    """``hostname``: the host's name; ``hostname -I``: its addresses, loopback left out."""
    if not words:
        return ns.name
    if words == ["-I"]:
        # As hostname(1) says: all addresses but those of loopback devices.
        found = [a.ip for d in ns.devices.values() if d.kind != "lo" and d.up for a in d.addresses]
        return " ".join(found)
    raise BadCommand(f"hostname: '{' '.join(words)}' is not modelled.", "Here: hostname [-I].")
