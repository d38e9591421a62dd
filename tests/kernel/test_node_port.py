"""Lesson 11 in this machine's kernel: what a node port does when somebody meddles with it.

The recorded flows hold the undisturbed cases (``07*``, ``08*``); here are the broken ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from k8snetlib import Cluster
from k8snetlib.lab import verify as lab_verify
from k8snetlib.lab.cli import warm
from k8snetlib.lab.verify import Send
from tests.conftest import require_root, require_tool

NODE1 = "192.168.66.11"


def _stranger() -> tuple[Cluster, tuple[Send, ...], list[str]]:
    """No masquerade for ext: the answer comes past node1, and ext resets it. The repeated SYN meets
    no nat rule, so it carries no mark, and other rules let it pass than the first."""
    cluster = Cluster.example("host-gw")
    cluster.kubectl('patch svc backend-local -p \'{"spec":{"externalTrafficPolicy":"Cluster"}}\'')
    cluster["node1"].sh("iptables -t nat -I POSTROUTING -s 203.0.113.10 -j ACCEPT")
    return cluster, (Send("ext", NODE1, 30081),), ["lost"]


def _input() -> tuple[Cluster, tuple[Send, ...], list[str]]:
    """A rule in INPUT keeps nobody from the port in nftables mode, and policy Local drops."""
    cluster = Cluster.example("host-gw", "nftables")
    cluster["node1"].sh("iptables -A INPUT -p tcp --dport 30080 -j DROP")
    clients = (("ext", NODE1, 30080), ("ext", NODE1, 30081), ("node1", "127.0.0.1", 30081))
    sends = tuple(Send(*client) for client in clients)
    return cluster, sends, ["delivered", "dropped", "refused"]


@pytest.mark.root
@pytest.mark.parametrize("case", [_stranger, _input])
def test_the_kernel_agrees(
    case: Callable[[], tuple[Cluster, tuple[Send, ...], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)
    if case is _stranger:  # long enough for TCP to repeat its SYN, as often as the model does
        monkeypatch.setattr(lab_verify, "SILENCE", 4.9)
    cluster, sends, outcomes = case()
    report = lab_verify.verify(warm(cluster, sends), sends, prefix=f"k8sp-{os.getpid()}-")
    assert report.ok, str(report)
    assert [one.outcome for one in report.checked] == outcomes
