"""VXLAN tools, a path that takes less than eth0 claims, a changed VTEP: the model and the kernel.

The real namespaces are the lab's; commands are typed in both. What legitimately differs is made equal
first: the numbers of devices, and the order of forwarding entries, which is a hash's.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.lab.kernel import Lab
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_runner import warm_cluster

pytestmark = pytest.mark.root

NEW = "0e:f1:0a:01:14:99"
#: Typed one after the other on node1; after each, ``WATCHED`` must agree.
COMMANDS = (
    "ip -d link show flannel.1",
    f"bridge fdb add {NEW} dev flannel.1 dst 192.168.66.12",
    f"bridge fdb append {NEW} dev flannel.1 dst 192.168.66.12 self permanent",
    f"bridge fdb replace {NEW} dev flannel.1 dst 192.168.66.13",
    f"bridge fdb del {NEW} dev flannel.1 dst 192.168.66.12",
    f"bridge fdb del {NEW} dev flannel.1",
    "bridge fdb del 0e:f1:0a:01:14:00 dev flannel.1",
    "bridge fdb replace 0e:f1:0a:01:14:00 dev flannel.1 dst 192.168.66.12",
    "ip link set flannel.1 address 0e:f1:0a:01:0f:99",
    "ip link set eth0 address 02:66:c0:a8:42:99",
    "ip link set veth-web1 address 0a:fe:0a:01:0f:99",
    "ip link set flannel.1 mtu 1300",
    "ip link set flannel.1 mtu 1450",
)
WATCHED = (
    *("ip link show flannel.1", "ip link show eth0", "ip link show veth-web1"),
    *("bridge fdb show dev flannel.1", "bridge fdb show dev veth-web1", "bridge fdb show br docker0"),
)  # fmt: skip
REFUSED = (
    f"bridge fdb add {NEW} dev flannel.1",
    "bridge fdb add 0e:f1:0a:01:14:00 dev flannel.1 dst 192.168.66.13",
    f"bridge fdb del {NEW} dev flannel.1",
    "bridge fdb add zz dev flannel.1 dst 192.168.66.12",
    f"bridge fdb add {NEW} dev flannel.7 dst 192.168.66.12",
    f"bridge fdb add {NEW}",
    "ip link set flannel.1 address 01:66:c0:a8:42:0b",
    "ip link set flannel.1 address 00:00:00:00:00:00",
    "ip link set flannel.1 address hello",
    "ip link set flannel.1 mtu 1451",
    "ip link set flannel.1 mtu 10",
    "ip link set flannel.1 mtu 70000",
)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Cluster, Lab]]:
    require_root()
    for tool in ("ip", "bridge"):
        require_tool(tool)
    cluster = Cluster.example("vxlan")
    with Lab(cluster.network, trace=False) as lab:
        yield cluster, lab


def plain(text: str, prefix: str) -> list[str]:
    """Sorted lines, without device numbers and the addresses that the model does not list."""
    text = re.sub(r"^\d+: ", "", text.replace(prefix, ""), flags=re.M)
    lines = [re.sub(r"@if\d+", "", line).rstrip() for line in text.splitlines()]
    return sorted(line for line in lines if not line.startswith(("33:33:", "01:00:5e:")))


def test_the_tools_say_what_the_real_ones_say(pair: tuple[Cluster, Lab]) -> None:
    cluster, lab = pair
    for typed in COMMANDS:
        for command in (typed, *WATCHED):
            ours = plain(cluster["node1"].sh(command), lab.prefix)
            theirs = plain(lab.run("node1", *command.split()), lab.prefix)
            assert ours == theirs, f"after {typed}: {command}"


def test_what_the_real_ones_refuse_is_refused_in_their_words(pair: tuple[Cluster, Lab]) -> None:
    cluster, lab = pair
    for command in REFUSED:
        with pytest.raises(BadCommand) as caught:
            cluster["node1"].sh(command)
        done = subprocess.run(
            ["ip", "netns", "exec", f"{lab.prefix}node1", *command.split()],
            text=True, capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode, command
        assert caught.value.message == done.stderr.splitlines()[0], command


NARROW = ("switch", "ip link set p-node2 mtu 1400")
FIREWALLED = ("switch", "sysctl -w net.bridge.bridge-nf-call-iptables=1")
NARROW_BRIDGE = ("switch", "ip link set br0 mtu 1400")
TRACKING = ("switch", "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
NEW_VTEP = ("node2", f"ip link set flannel.1 address {NEW}")


def echo(size: int, *, back: bool = False) -> Send:
    ends = ("backend", "10.1.15.2") if back else ("web2", "10.1.20.3")
    return Send(*ends, proto="icmp", payload=size)


def upload(size: int, *, back: bool = False) -> Send:
    """A connection that hangs goes on sending: it must be the last of its lab."""
    ends = ("backend", "10.1.15.2", 80) if back else ("web2", "10.1.20.3", 8080)
    return Send(*ends, payload=size)


WHOLE = Send("web2", "10.1.20.3", 4000, "udp", payload=3000, df=False)
#: backend, commands, sends, and what becomes of each.
CASES = {
    "host-gw": (("host-gw", NARROW), (echo(1376), echo(1377), WHOLE, upload(500), upload(5000)),
                "delivered lost lost delivered lost"),
    "host-gw, the way back": (("host-gw", NARROW),
                              (echo(1376, back=True), echo(1377, back=True), upload(5000, back=True)),
                              "delivered lost lost"),
    "vxlan": (("vxlan", NARROW), (echo(1326), echo(1327), upload(500), upload(5000)),
              "delivered lost delivered lost"),
    "a firewalled bridge": (("host-gw", NARROW, FIREWALLED),
                            (echo(1372), echo(1373), echo(1373)._replace(df=False), WHOLE),
                            "delivered lost delivered lost"),
    "a firewalled bridge with MTU 1400": (
        ("host-gw", NARROW, FIREWALLED, NARROW_BRIDGE),
        (echo(1373), echo(1373)._replace(df=False), WHOLE), "lost delivered refused"),
    "a firewalled bridge with MTU 1400 that tracks": (
        ("host-gw", NARROW, FIREWALLED, NARROW_BRIDGE, TRACKING),
        (WHOLE, echo(1373)._replace(df=False)), "lost delivered"),
    "a new VTEP": (("vxlan", NEW_VTEP), (echo(56), Send("node1", "192.168.66.12", proto="icmp")),
                   "lost delivered"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_broken_paths_break_in_the_kernel_too(case: str) -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)
    (backend, *commands), sends, outcomes = CASES[case]
    cluster = warm_cluster(backend).clone()
    for netns, command in commands:
        cluster[netns].sh(command)
    report = verify(cluster, sends)
    assert report.ok, str(report)
    assert [one.outcome for one in report.checked] == outcomes.split()
