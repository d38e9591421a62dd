"""The short answer: what rules decided about a packet, before its whole story."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.decided import decided
from tests.test_cli import k8snet

DATA = Path(__file__).parent / "data"


def test_an_app_folder_is_enough():
    """The showpiece: two Deployments and a Service, no cluster far and wide."""
    ran = k8snet(
        "trace", "web", "backend-svc:80", "--manifests", DATA / "my-app", "--rules", "--sport", "40001"
    )  # fmt: skip
    assert ran.exit_code == 0
    begin = ran.stdout.partition("The request:")[0].rstrip() + "\n"
    assert begin == (DATA / "trace_my_app.txt").read_text(encoding="utf-8")
    assert ran.stderr == (
        "k8snet: Filled in: 3 nodes (node1, node2, node3); 4 pods of workloads; "
        "cluster IPs of 1 Service; node ports of 1 Service.\n"
        f"k8snet: Passed over: {DATA / 'my-app' / 'kustomization.yaml'}.\n"
    )


@pytest.fixture(scope="module")
def example():
    return Cluster.example()


#: from, to, port -> the sentences (what is * is any text), and how many rules each has
DECIDED = [
    ("web2", "10.1.20.3", 8080, []),
    ("web2", "backend-svc", 80, [
        ("node1, nat PREROUTING: destination 10.96.0.10:80 becomes 10.1.", 4),
        ("node1 on the way back, nat POSTROUTING: source 10.1.", 0),
        ("backend", 0),
    ]),
    ("client", "node1", 30080, [
        ("node1, nat PREROUTING: destination 192.168.66.11:30080 (node1) becomes 10.1.", 8),
        ("node1, nat POSTROUTING: source 192.168.66.100:", 3),
        ("node1 on the way back, nat PREROUTING: destination 10.1.15.0:", 0),
        ("node1 on the way back, nat POSTROUTING: source 10.1.", 0),
        ("backend", 0),
    ]),
    ("client", "node1", 30081, [("node1, filter INPUT: throws it away", 4)]),
    ("web1", "empty-svc", 80, [("node1, filter FORWARD: rejects it with icmp-port-unreachable", 4)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "port", "said"), DECIDED, ids=[f"{d[0]}>{d[1]}:{d[2]}" for d in DECIDED]
)
def test_what_was_decided(example, source, target, port, said):
    exchange = example.clone().connect(source, target, port=port)
    found = list(decided(exchange))
    assert [
        (text[: len(s)], len(rules)) for (text, rules), (s, _) in zip(found, said, strict=True)
    ] == said
    last = found[-1][0] if found else ""
    assert (" sees 10.1.15." in last) == (exchange.ok and bool(said))


def test_without_rules_nothing_is_told_of_them(example):
    ran = k8snet("trace", "web2", "backend-svc:80")
    assert ran.exit_code == 0 and "Decided by rules" not in ran.stdout
