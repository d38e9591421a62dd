"""nftables against the real one: what it lists, which rules packets match, kube-proxy's own table.

``K8SNET_RANDOM=N`` runs N random cases instead; ``K8SNET_SEED=S`` begins at case S.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Service,
    ServicePort,
)
from k8snetlib.kube.proxy.config import Detector
from k8snetlib.kube.proxy.state import endpoints_map, service_map
from k8snetlib.lab import compare, native_rules, rules
from k8snetlib.lab.compare import Ports
from k8snetlib.lab.frames import frames_of, walks
from k8snetlib.lab.kernel import Lab
from k8snetlib.lab.verify import Send, verify
from k8snetlib.linux.nftables.listing import list_table
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.wire import encode
from tests.conftest import require_root, require_tool
from tests.kernel.flow_runner import warm_cluster
from tests.kernel.nft_cases import ruleset
from tests.kernel.random_cases import PORTS, Ground, Shot, network, packets, shoot
from tests.kube.test_nftables_mode import proxier

RULESET = Path(__file__).parents[1] / "linux" / "ruleset.nft"
CASES = int(os.environ.get("K8SNET_RANDOM", "30"))
FIRST = int(os.environ.get("K8SNET_SEED", "0"))
PACKETS = 15
TOOLS = ("ip", "bridge", "nft", "iptables-restore", "iptables-save", "xtables-monitor")


def _needed() -> None:
    require_root()
    for tool in TOOLS:
        require_tool(tool)


class NftGround(Ground):
    """The small network, on whose router lie tables of nftables alone."""

    def differences(self, text: str, shots: list[Shot]) -> list[str]:
        """Runs one case in both; every difference in words."""
        model = self.base.clone()
        old, node = model["n"].sh("nft list tables"), model["n"]
        lab = self.lab
        for name in ("t0", "t1"):
            with suppress(K8sNetError):
                lab.run("n", "nft", "delete", "table", "ip", name)
        node.sh("nft flush ruleset")
        assert old == "table ip t0"
        node.sh("nft -f -", text)
        lab.run("n", "nft", "-f", "-", said=text)
        nft = node.ruleset.nft
        assert nft is not None
        tables = list(nft.tables.values())
        different = []
        for table in tables:
            theirs = lab.run("n", "nft", "list", "table", "ip", table.name).rstrip("\n")
            if theirs != list_table(table, 0.0):
                different += compare_lines(theirs, list_table(table, 0.0))
        lab.forget_connections()
        lab.settle(0.05)
        lab.traced()
        for shot in shots:
            with suppress(OSError):  # OUTPUT said no: the model has to say so, too
                self.raw[shot.host].sendto(encode(shot.packet), (shot.packet.ip.dst, 0))
        frames = frames_of(lab.settle(), model.names)
        traces = shoot(model, shots)
        ports = Ports({*PORTS, *(p for s in shots for p in _ports(s))})
        found = compare.packets(walks(frames, everything=True), traces, ports)
        self.packets += found.packets
        self.frames += found.frames
        traced = self.named(lab.traced().get("n", ""), [table.name for table in tables])
        kernel_ways = native_rules.paths(traced, tables)
        model_ways = [way for trace in traces for way in native_rules.passes(trace, "n")]
        _, ways = compare.paths("n", kernel_ways, model_ways, ports, repeats=False)
        lines = map(rules.connection, lab.connections("n"))
        tracked = map(str, node.conntrack.connections(model.now))
        return [
            *different, *found.differences, *ways,
            *compare.connections("n", lines, tracked, ports, repeats=False),
        ]  # fmt: skip

    def named(self, traced: str, tables: list[str]) -> str:
        """The monitor knows only rules that were there when it began; others it tells by handle."""
        known: dict[str, str] = {}
        for name in tables:
            chain = ""
            for line in self.lab.run("n", "nft", "-a", "list", "table", "ip", name).splitlines():
                text, _, handle = line.strip().partition(" # handle ")
                if text.startswith("chain "):
                    chain = text.split()[1]
                known[f"ip {name} {chain} unknown rule handle {handle}"] = (
                    f"ip {name} {chain} rule {text}"
                )
        return re.sub(
            r"ip \S+ \S+ unknown rule handle \d+", lambda m: known.get(m[0], m[0]), traced
        )


def compare_lines(theirs: str, ours: str) -> list[str]:
    """Lines that only one of two listings has, or that they differ in their order."""
    only = [f"only the kernel lists {x}" for x in theirs.splitlines() if x not in ours]
    only += [f"only the model lists {x}" for x in ours.splitlines() if x not in theirs]
    return only or ["the listings differ in their order"]


def _ports(shot: Shot) -> list[int]:
    l4 = shot.packet.transport
    return [p for p in (getattr(l4, "sport", None), getattr(l4, "dport", None)) if p is not None]


@pytest.fixture(scope="module")
def ground() -> Iterator[NftGround]:
    _needed()
    base = network()
    base["n"].sh("nft add table ip t0")
    with Lab(base) as lab:
        ground = NftGround(lab, base)
        yield ground
        ground.close()


@pytest.mark.root
def test_the_real_nft_lists_what_is_recorded_of_it(ground: NftGround) -> None:
    """``tests/linux/ruleset.nft`` is what this machine's nft prints of what it is given."""
    text = RULESET.read_text()
    lab, nft = ground.lab, Nftables()
    nft.load(text)
    lab.run("a", "nft", "-f", "-", said=text)
    real = lab.run("a", "nft", "list", "ruleset")
    lab.run("a", "nft", "flush", "ruleset")
    assert real == text
    assert "".join(list_table(table, 0.0) + "\n" for table in nft.tables.values()) == real


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("group", range(3))
def test_random_tables_and_packets_agree(
    ground: NftGround, group: int, record_property: Callable[[str, object], None]
) -> None:
    """Each seed is one or two tables and 15 packets: listings, frames, connections, and which rules
    each packet matched, in order."""
    before = ground.packets, ground.frames
    seeds = range(FIRST + group, FIRST + CASES, 3)
    for seed in seeds:
        rnd = random.Random(seed)
        text = ruleset(rnd)
        shots = packets(rnd, "", PACKETS)
        different = ground.differences(text, shots)
        if different:  # another process may have been in the way: it must come back
            different = ground.differences(text, shots)
        assert not different, "\n".join([f"seed {seed}", text, *map(str, shots), *different])
    record_property("kernel random tables of nftables", len(seeds))
    record_property("kernel packets", ground.packets - before[0])
    record_property("kernel frames", ground.frames - before[1])


SIX = {"family": "IPv6", "node_ip": "2001:db8::1", "service_cidrs": ("fd00:10:96::/112",),
       "detector": Detector("CIDR", "fd00:10::/64")}  # fmt: skip
#: Options of kube-proxy; the addresses of a Service, of its balancer, of endpoints, who may come.
TABLES: dict[str, tuple[dict[str, Any], str, str, tuple[str, ...], tuple[str, ...]]] = {
    "IPv4": ({}, "10.96.0.7", "203.0.113.7", ("10.1.1.1", "10.1.1.2"), ("203.0.113.0/24",)),
    "sources that hold the node": (
        {}, "10.96.0.7", "203.0.113.7", ("10.1.1.1",), ("192.168.66.0/24", "1.2.3.4/32"),
    ),
    "by bridge": (
        {"detector": Detector("BridgeInterface", "cni0")}, "10.96.0.7", "203.0.113.7",
        ("10.1.1.1",), (),
    ),
    "by prefix of an interface, no range of Services": (
        {"detector": Detector("InterfaceNamePrefix", "veth"), "service_cidrs": ()}, "10.96.0.7",
        "203.0.113.7", ("10.1.1.1",), (),
    ),
    "masquerade all": ({"masquerade_all": True}, "10.96.0.7", "203.0.113.7", (), ()),
    "IPv6": (SIX, "fd00:10:96::7", "2001:db8:9::7", ("fd00:10::1", "fd00:10::2"),
             ("2001:db8:9::/64",)),
}  # fmt: skip


@pytest.mark.root
@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_the_kernel_takes_the_table_and_lists_it_alike(
    ground: NftGround, case: tuple[dict[str, Any], str, str, tuple[str, ...], tuple[str, ...]]
) -> None:
    """Every kind of chain, set and map that kube-proxy writes."""
    options, ip, balancer, endpoints, sources = case
    ours = proxier(**options)
    web = Service("web", ip, (ServicePort("http", "tcp", 80, node_port=30080),), "ns",
                  "LoadBalancer", ingress=(Ingress(balancer),), source_ranges=sources,
                  affinity_seconds=3600)  # fmt: skip
    local = web._replace(name="local", cluster_ip=ip + "8", external_traffic_policy="Local",
                         affinity_seconds=0, ingress=(),
                         ports=(ServicePort("", "udp", 53, node_port=30053),))  # fmt: skip
    family, slices = ours.config.family, []
    for service in (web, local):
        ports = tuple(EndpointPort(p.name, p.proto, 8080) for p in service.ports)
        places = tuple(Endpoint(e, node="node1") for e in endpoints)
        slices.append(EndpointSlice(f"{service.name}-1", service.name, places, ports, "ns", family))
    ours.sync(service_map([web, local], family), endpoints_map(slices, "node1", family))
    assert ours.error == ""
    lab, table = ground.lab, ours.table
    assert table is not None
    lab.run("b", "nft", "-f", "-", said="\n".join(ours.transaction))
    real = lab.run("b", "nft", "list", "ruleset")
    lab.run("b", "nft", "flush", "ruleset")
    assert list_table(table, 0.0) + "\n" == real


# -- kube-proxy's table ---------------------------------------------------------------------------

FLOWS = {
    "pod to cluster IP": Send("web2", "10.96.0.10", 80),
    "pod to itself by the cluster IP": Send("backend", "10.96.0.10", 80, endpoint="backend"),
    "node to cluster IP": Send("node1", "10.96.0.10", 80),
    "UDP": Send("web2", "10.96.0.53", 53, "udp"),
    "no endpoints": Send("web2", "10.96.0.20", 80),
    "unknown port": Send("web2", "10.96.0.10", 81),
    "unallocated address": Send("web2", "10.96.7.7", 80),
    "node port": Send("ext", "192.168.66.11", 30080),
    "node port, Local, elsewhere": Send("ext", "192.168.66.11", 30081),
    "node port, Local, here": Send("ext", "192.168.66.12", 30081),
    "node port without endpoints": Send("client", "192.168.66.11", 30082),
    "pod to pod": Send("web2", "10.1.20.3", 8080),
}


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["host-gw", "udp"])
def test_kube_proxy_s_tables_do_the_same_in_the_kernel(backend: str) -> None:
    """All three nodes' tables are loaded and listed line by line; then the flows, with every rule
    that a packet matched."""
    _needed()
    report = verify(
        warm_cluster(backend, "nftables"), FLOWS.values(), prefix=f"k8sf-{os.getpid()}-"
    )
    assert report.ok, str(report)
    assert len(report.checked) == len(FLOWS)
