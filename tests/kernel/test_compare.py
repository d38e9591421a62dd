"""What counts as a difference between model and kernel: the comparison itself, without a kernel."""

from __future__ import annotations

import pytest

from k8snetlib.lab.compare import Ports, packets, paths
from k8snetlib.lab.frames import Walk
from k8snetlib.lab.rules import Path
from k8snetlib.packet import SYN, Ethernet, Icmp, IPv4, Packet, Tcp, Udp, Vxlan, stack_of
from k8snetlib.trace import Frame, Names, Trace

NEW = Path("10.0.0.1:8285>10.0.0.2:8285", ("filter:OUTPUT rule JUMP NEW-ONLY | …",))
KNOWN = Path("10.0.0.1:8285>10.0.0.2:8285", ("filter:OUTPUT policy ACCEPT",))
OTHER = Path("10.0.0.1:8285>10.0.0.3:8285", ("filter:OUTPUT policy ACCEPT",))


@pytest.mark.parametrize(
    ("kernel", "model", "at_once", "different"),
    [
        ([NEW, KNOWN], [NEW, KNOWN], False, 0),
        ([NEW], [NEW, KNOWN], False, 1),
        ([NEW, KNOWN], [NEW], False, 1),
        ([NEW], [NEW, KNOWN], True, 0),
        ([NEW, KNOWN], [NEW], True, 0),
        ([NEW], [KNOWN], True, 2),
        ([NEW, OTHER], [NEW], True, 1),
        ([NEW], [NEW, OTHER], True, 1),
    ],
)
def test_of_packets_under_way_at_once_one_way_must_agree(
    kernel: list[Path], model: list[Path], at_once: bool, different: int
) -> None:
    ports = Ports({8285})
    _, found = paths("node1", kernel, model, ports, repeats=False, at_once=at_once)
    assert len(found) == different, found


@pytest.mark.parametrize(
    ("sports", "drawn"), [((50000, 50001), 2), ((50000, 50000), 1), ((50000, 40001), 1)]
)
def test_ports_that_somebody_drew_are_counted_once(sports: tuple[int, ...], drawn: int) -> None:
    """Fewer than in the model: one port is two things (40001 is the sender's own)."""
    frames = tuple(
        Frame(
            "node1",
            "eth0",
            "out",
            stack_of((IPv4("10.0.0.1", "10.0.0.2", 17), Udp(port, 8472)), b""),
            0.0,
            Names({}, {}),
        )
        for port in sports
    )
    assert Ports({8472, 40001}).drawn([Walk("UDP", frames)]) == drawn


def _tunnelled(src: str, dst: str, sport: int, proto: int = 1) -> Packet:
    outer = (Ethernet("02:00:00:00:00:01", "02:00:00:00:00:02"), IPv4("10.0.0.1", "10.0.0.2", 17))
    inner = (Ethernet("02:00:00:00:00:03", "02:00:00:00:00:04"), IPv4(src, dst, proto))
    l4 = Icmp(8) if proto == 1 else Tcp(40001, 80, SYN)
    return stack_of((*outer, Udp(sport, 8472), Vxlan(1), *inner, l4), b"")


@pytest.mark.parametrize(
    ("kernel", "model", "translated", "proto", "different"),
    [
        ((50000, 50001), (51000, 51001), False, 1, 0),
        ((50000, 50000), (51000, 51000), False, 1, 0),
        ((50000, 50000), (51000, 51001), False, 1, 1),
        ((50000, 50001), (51000, 51000), False, 1, 1),
        ((50000, 50001), (51000, 51000), True, 1, 0),
        ((50000, 50001), (51000, 51000), True, 6, 1),
    ],
)
def test_random_ports_correspond_one_to_one(
    kernel: tuple[int, int], model: tuple[int, int], translated: bool, proto: int, different: int
) -> None:
    """Also where a packet leaves by a bridge and by its port: that is no flood. Only a translated
    packet may have another port in the tunnel: tracing makes the kernel hash it too early."""

    def frames(src: str, dst: str, sport: int) -> tuple[Frame, ...]:
        packet = _tunnelled(src, dst, sport, proto)
        before = _tunnelled("10.96.0.10" if translated else src, dst, sport, proto)
        seen = (("eth0", "in", packet), ("br0", "out", before), ("p0", "out", before))
        return tuple(Frame("n", d, way, what, 0.0, Names({}, {})) for d, way, what in seen)

    label = "TCP S" if proto == 6 else "ICMP echo-request"
    ends = (("10.1.1.1", "10.1.2.2"), ("10.1.2.2", "10.1.1.1"))
    walks, traces = [], []
    for n, (end, ours, theirs) in enumerate(zip(ends, kernel, model, strict=True)):
        walks.append(Walk(label, frames(*end, ours)))
        traces.append(Trace(n, label, (), frames(*end, theirs)))
    found = packets(walks, traces, Ports({8472, 40001, 80}))
    assert len(found.differences) == different, found
    assert found.packets == 2
