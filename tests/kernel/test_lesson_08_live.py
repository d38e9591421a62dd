"""What lesson 08 says about Services, live: the model against this machine's kernel.

Who is masqueraded, what meets no rule, and all that the lesson breaks. Only a stopped kube-proxy is
missing: no kernel knows whether it runs.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

import pytest

from k8snetlib import Cluster
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_live import TOOLS
from tests.kernel.flow_runner import warm_cluster

#: backend-svc with three endpoints; backend-local has backend alone.
VIP, ALONE = "10.96.0.10", "10.96.0.11"
BRIDGE = (("node2", "sysctl -w net.bridge.bridge-nf-call-iptables=0"),)
HAIRPIN = (("node2", "bridge link set dev veth-backend hairpin off"),)
VIA_NODE1 = (("client", "ip route add 10.96.0.0/16 via 192.168.66.11"),)
PREFIX = f"k8s8-{os.getpid()}-"
NOT_READY = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}


class Case(NamedTuple):
    """A send, and what the lesson says becomes of it."""

    send: Send
    outcome: str
    name: str


CASES = (
    Case(Send("web2", VIP, 80, endpoint="backend-b"), "delivered", "a draw"),
    Case(Send("web2", VIP, proto="icmp"), "unreachable", "a ping meets no rule"),
    Case(Send("web2", VIP, 81), "unreachable", "nor does another port"),
    Case(Send("client", VIP, 80, endpoint="backend", setup=VIA_NODE1), "delivered", "no pod"),
    Case(Send("backend", ALONE, 80), "delivered", "itself"),
    Case(Send("backend", ALONE, 80, setup=HAIRPIN), "lost", "itself, hairpin off"),
    Case(Send("backend", VIP, 80, endpoint="backend-b"), "delivered", "same bridge"),
    Case(Send("backend", VIP, 80, endpoint="backend-b", setup=BRIDGE), "lost", "blind bridge"),
    Case(Send("backend", VIP, 80, endpoint="backend-c", setup=BRIDGE), "delivered", "other node"),
    Case(Send("backend", ALONE, 80, setup=BRIDGE), "delivered", "itself, blind bridge"),
    Case(Send("web2", VIP, 80, endpoint="backend-b", setup=BRIDGE), "delivered", "from elsewhere"),
)


def _typo(cluster: Cluster) -> None:
    _patch(cluster, "svc backend-svc", {"spec": {"selector": {"app": "backnd"}}})


def _wrong_port(cluster: Cluster) -> None:
    _patch(cluster, "svc backend-svc", {"spec": {"ports": [{"port": 80, "targetPort": 80}]}})
    for pod in ("backend-b", "backend-c"):  # one endpoint is left: nothing is drawn
        _patch(cluster, f"pod {pod} --subresource=status", NOT_READY)


def _patch(cluster: Cluster, what: str, patch: dict[str, Any]) -> None:
    cluster.kubectl(f"patch {what} -p '{json.dumps(patch)}'")


@pytest.fixture(scope="module")
def warm() -> Cluster:
    require_root()
    for tool in TOOLS:
        require_tool(tool)
    return warm_cluster("host-gw")


def test_what_the_lesson_says_holds_in_the_kernel(warm: Cluster) -> None:
    report = verify(warm.clone(), [case.send for case in CASES], prefix=PREFIX)
    assert report.ok, str(report)
    said = {case.name: case.outcome for case in CASES}
    seen = (one.outcome for one in report.checked)
    assert dict(zip(said, seen, strict=True)) == said


@pytest.mark.parametrize(
    ("mistake", "outcome"),
    [(_typo, "rejected"), (_wrong_port, "refused")],
    ids=["selector", "target port"],
)
def test_both_mistakes_refuse_in_the_kernel(warm: Cluster, mistake: Any, outcome: str) -> None:
    cluster = warm.clone()
    mistake(cluster)
    report = verify(cluster, [Send("web2", VIP, 80)], prefix=PREFIX)
    assert report.ok, str(report)
    assert report.checked[0].outcome == outcome
