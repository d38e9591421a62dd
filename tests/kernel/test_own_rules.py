"""The rules that kube-proxy, kubelet and flannel write are those that the lab's nodes had.

Compared as the recordings' page says: KUBE-SERVICES, KUBE-NODEPORTS and KUBE-EXTERNAL-SERVICES
sorted, all other chains in order, without the canaries and tables that hold nothing else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.kube.api import BACKENDS

HERE = Path(__file__).parent
SORTED = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES")


def _chains(text: str) -> dict[tuple[str, str], list[str]]:
    """table and chain -> its rules, of an ``iptables-save``."""
    found: dict[tuple[str, str], list[str]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":") and "CANARY" not in line:
            found[table, line[1:].split()[0]] = []
        elif line.startswith("-A"):
            found[table, line.split()[1]].append(line)
    for (_, chain), rules in found.items():
        if chain in SORTED:
            rules.sort()
    return {key: rules for key, rules in found.items() if key[0] in ("nat", "filter")}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("node", ["node1", "node2", "node3"])
def test_a_nodes_rules_are_the_recorded_ones(backend: str, node: str) -> None:
    ours = Cluster.example(backend)[node].sh("iptables-save")
    theirs = (HERE / f"{node}.iptables-save.txt").read_text()
    assert _chains(ours) == _chains(theirs)
    mangle = [line for line in ours.splitlines() if line.startswith("-A") and "CANARY" in line]
    assert not mangle, "a canary holds no rule"
