"""Broken clusters in this machine's kernel: each failure of flannel, at its worst moment.

A failure is played in the model (``tests/flannel/failures``); the cluster as it is then is built in
real namespaces by the model's own script, and the same packets are sent through both. Whoever
reaches nobody in the model reaches nobody in the kernel, on the same way, for the same reason.

Each failure is looked at with one backend, in turn, and those that leave the kernel in the state of
another one are passed over; K8SNET_EVERY_FAILURE=1 (``make verify``) asks for all of them, with all
backends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.lab.cli import warm
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.flannel.failures.run import FATES, SMALL, TALKS, TRANSFER, Failure, Run, fate_of
from tests.flannel.failures.table import FAILURES

#: Failures at which the kernel has nothing to show: every packet passes.
WELL = {("etcd-lost", "vxlan"), ("etcd-lost", "host-gw")}
#: Failures that leave the kernel in the state of another one (of flanneld-stopped, but for the
#: last: of one-public-ip with host-gw).
TWINS = (
    "etcd-lost", "lost-or-cut-off", "restart-with-subnet-env", "lease-expired", "cidr-mismatch",
)  # fmt: skip
#: A pair of each fate, and not more than so many: every send that nobody answers costs time.
MOST = 2
#: A whole packet of any backend, as a ping: what a narrow path does not let through.
WHOLE = 1444


def _chosen() -> list[Any]:
    every = os.environ.get("K8SNET_EVERY_FAILURE", "") not in ("", "0")
    rows = []
    for at, failure in enumerate(f for f in FAILURES if f.key != "subnet-env-missing"):
        backends = [b for b in failure.backends if (failure.key, b) not in WELL]
        if failure.key in TWINS and not every:
            continue
        for backend in backends if every else [backends[(at + 1) % len(backends)]]:
            rows.append(pytest.param(failure, backend, id=f"{failure.key}-{backend}"))
    return rows


def at_its_worst(failure: Failure, backend: str) -> tuple[Cluster, tuple[Send, ...]]:
    """The cluster at the moment at which most pairs are hurt, and what to send there."""
    states: list[tuple[int, Cluster]] = []
    run = Run(backend, lambda when, cluster: states.append((_hurt(run), cluster.clone())))
    failure.play(run)
    at = max(range(len(states)), key=lambda n: states[n][0])
    cluster, moment = states[at][1], run.moments[at]
    sends: dict[str, Send] = {}
    for column, pairs in run.pairs.items():
        if moment.measured[column] != TALKS and column != "nodes":
            found = {fate_of(cluster, *pair)[0]: pair for pair in pairs}
            for fate in found.keys() - {TALKS}:
                sender, target = found[fate]
                sends.setdefault(fate, Send(sender, cluster.address_of(target), proto="icmp"))
    worst = sorted(sends, key=list(FATES).index, reverse=True)
    chosen = [sends[fate] for fate in worst[:MOST]]
    if SMALL in sends:
        chosen += [sends[SMALL]._replace(payload=WHOLE)]
        chosen += [sends[SMALL]._replace(proto="tcp", port=8080, payload=TRANSFER)]
    # First what changes nothing: the lab can serve once more.
    return cluster, (Send("node1", cluster.address_of("node2"), proto="icmp"), *chosen)


def _hurt(run: Run) -> int:
    return sum(fate != TALKS for fate in run.moments[-1].measured.values())


@pytest.mark.root
@pytest.mark.parametrize(("failure", "backend"), _chosen())
def test_a_broken_cluster_fails_in_the_kernel_as_in_the_model(
    failure: Failure, backend: str, record_property: Callable[[str, object], None]
) -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)
    cluster, sends = at_its_worst(failure, backend)
    report = verify(warm(cluster, sends), sends, prefix=f"k8sb-{os.getpid()}-")
    assert report.ok, str(report)
    outcomes = [one.outcome for one in report.checked]
    assert outcomes[0] == "delivered", "the nodes reach each other"
    assert any(outcome != "delivered" for outcome in outcomes), "somebody reaches nobody"
    record_property("kernel broken clusters", 1)
    record_property("kernel sends to broken clusters", len(report.checked))
    for what in ("packets", "frames"):
        total = sum(getattr(one, what) for one in report.checked)
        record_property(f"kernel {what} in broken clusters", total)
