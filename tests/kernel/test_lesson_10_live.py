"""What lesson 10 says about the way out, live: the model against this machine's kernel.

The lost answer, MASQUERADE and the way back, two pods with one port, a range of ports that is full
for one destination only, and which source everybody sees under each masquerade. A full conntrack
table is missing: the limit is one for all namespaces, so a test must not set it.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pytest

from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_live import TOOLS
from tests.kernel.flow_runner import warm_cluster

PREFIX = f"k8s10-{os.getpid()}-"
OFF = "--ip-masq=false"
RULE = "iptables -t nat -A POSTROUTING -o eth0"
MASQUERADE = (("node1", f"{RULE} -s 10.1.0.0/16 -j MASQUERADE"),)
TWO_PORTS = tuple(
    ("node1", f"{RULE} -p {proto} -j MASQUERADE --to-ports 40000-40001") for proto in ("udp", "tcp")
)
VIA_NODE1 = (("client", "ip route add 10.1.0.0/16 via 192.168.66.11"),)


class Case(NamedTuple):
    """A send, and what the lesson says becomes of it."""

    send: Send
    outcome: str
    name: str


def _dns(source: str, target: str, sport: int, port: int = 53, **more: Any) -> Send:
    return Send(source, target, port, "udp", sport, **more)


CASES = (
    Case(_dns("web2", "ext", 4000), "lost", "no masquerade"),
    Case(Send("web2", "ext", 80, sport=40000, setup=MASQUERADE), "delivered", "masquerade"),
    Case(_dns("web2", "ext", 5000, setup=MASQUERADE), "delivered", "the first from port 5000"),
    Case(_dns("web1", "ext", 5000, keeps=True), "delivered", "the second from port 5000"),
    Case(_dns("web2", "ext", 6000, setup=TWO_PORTS), "delivered", "the first of two ports"),
    Case(_dns("web2", "ext", 6001, keeps=True), "delivered", "the second of two ports"),
    Case(_dns("web2", "ext", 6002, keeps=True), "dropped", "no third port"),
    # Nobody listens there: the refusal comes from the other end, and finds its way back.
    Case(_dns("web2", "client", 6003, keeps=True), "refused", "another address"),
    Case(_dns("web2", "ext", 6004, 54, keeps=True), "refused", "another port"),
    Case(Send("web2", "ext", 80, sport=6005, keeps=True), "delivered", "another protocol"),
)


@pytest.fixture(scope="module", autouse=True)
def able() -> None:
    require_root()
    for tool in TOOLS:
        require_tool(tool)


def test_what_the_lesson_says_holds_in_the_kernel() -> None:
    cluster = warm_cluster("vxlan", flanneld=OFF).clone()
    report = verify(cluster, [case.send for case in CASES], prefix=PREFIX)
    assert report.ok, str(report)
    said = {case.name: case.outcome for case in CASES}
    seen = (one.outcome for one in report.checked)
    assert dict(zip(said, seen, strict=True)) == said


@pytest.mark.parametrize(
    ("options", "answered"),
    [({}, 6), ({"flanneld": OFF, "docker_masquerade": True}, 6), ({"flanneld": OFF}, 5)],
    ids=["flannel", "docker", "none"],
)
def test_who_sees_which_source(options: dict[str, Any], answered: int) -> None:
    """Frames are compared, so sources are; without masquerade only ext's answer is lost."""
    targets = ("web1", "backend", "node1", "node2", "ext")
    sends = [Send("web2", target, proto="icmp") for target in targets]
    sends.append(Send("client", "backend", proto="icmp", setup=VIA_NODE1))
    report = verify(warm_cluster("vxlan", **options).clone(), sends, prefix=PREFIX)
    assert report.ok, str(report)
    assert [one.outcome for one in report.checked].count("delivered") == answered
