"""Packets through what two real nodes printed (the example cluster, built in a real kernel)."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.dumps.files import read_folder
from k8snetlib.dumps.node import Dumps, PassedOver
from k8snetlib.errors import BadDump
from tests.dumps.test_reading import LINKS
from tests.test_cli import k8snet

HERE = Path(__file__).resolve().parent.parent / "data" / "dumps"
NODE1, NODE2 = str(HERE / "node1"), str(HERE / "node2")


@pytest.fixture(scope="module")
def both():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Cluster.from_dumps({"node1": NODE1, "node2": NODE2})


ENDS = [
    ("10.1.15.2", "10.1.20.3", "lost", "10.1.20.3: who listens on TCP port 80 there is not known here"),
    ("10.1.15.2", "10.96.0.20", "rejected", "10.1.15.1 said ICMP port unreachable"),
    ("10.1.15.2", "203.0.113.9", "lost", "nobody known here has 192.168.66.1; who else is there to answer on eth0"),
    ("10.1.15.2", "10.1.15.3", "lost", "10.1.15.2: nobody known here has 10.1.15.3; who else is there"),
    ("10.1.15.2", "192.168.66.12", "lost", "node2: who listens on TCP port 80 there is not known here"),
    ("node2", "10.1.15.2", "lost", "10.1.15.2: who listens on TCP port 80 there is not known here"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "outcome", "reason"), ENDS, ids=[f"{e[0]}>{e[1]}" for e in ENDS]
)
def test_where_a_packet_ends(both, source, target, outcome, reason):
    exchange = both.clone().connect(source, target, port=80)
    assert exchange.outcome == outcome and reason in exchange.reason


def test_nobody_knows_who_listens_on_udp(both):
    exchange = both.clone().send("10.1.15.2", "10.1.20.3", 53, proto="udp")
    assert exchange.outcome == "lost" and "who listens on UDP port 53" in exchange.reason


def test_a_service_is_translated_by_the_nodes_own_rules(both):
    """The dump's rules choose an endpoint, the tunnel's entries carry it to the other node."""
    fates = both.outcomes("10.1.15.2", "10.96.0.10", 80)
    assert [str(fate.probability) for fate in fates] == ["1/3"] * 3
    exchange = both.clone().send("10.1.15.2", "10.96.0.10", 80, proto="tcp", endpoint="10.1.20.3")
    lines = [str(frame) for frame in exchange.capture()]
    assert any(line.startswith("node1:eth0 out") and "vxlan vni1" in line for line in lines)
    assert any("10.1.15.2" in line and "10.1.20.3:8080" in line for line in lines)


def test_ping_and_the_prompt(both):
    """A pod's own kernel answers a ping: no process is needed for that."""
    assert both.clone().ping("10.1.15.2", "10.1.20.3").outcome == "delivered"
    told = [line.strip() for line in (HERE / "node1" / "ip-route.txt").read_text().splitlines()]
    assert both["node1"].sh("ip route").splitlines() == [r for r in told if "table local" not in r]
    rules = (HERE / "node1" / "iptables-save.txt").read_text().splitlines()
    ours = both["node1"].sh("iptables-save").splitlines()
    assert sorted(r for r in ours if r[0] == "-") == sorted(r for r in rules if r[0] == "-")


CALICO = """\
8: cali0a1b2c3d4e5@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP
    link/ether ee:ee:ee:ee:ee:ee brd ff:ff:ff:ff:ff:ff link-netnsid 1 promiscuity 0
    veth
"""


def test_a_pod_that_only_a_route_tells():
    routes = (
        "10.9.9.7 dev cali0a1b2c3d4e5 scope link\n10.0.0.0/24 dev ens3 scope link src 10.0.0.11"
    )
    with pytest.warns(PassedOver, match=r"node: what tunl0 \(ipip\) does with packets") as caught:
        cluster = Cluster.from_dumps({"node": Dumps((LINKS + CALICO, "l"), (routes, "r"))})
    assert len(caught) == 1
    node = cluster["node"]
    assert node.sysctls["net.ipv4.ip_forward"] == 1, "a node forwards, unless its dump says no"
    assert node.devices["veth0a1b"].hairpin and not node.devices["ens3"].hairpin
    assert cluster.ping("10.9.9.7", "10.0.0.11").outcome == "delivered"
    assert cluster.ping("node", "10.9.9.7").outcome == "delivered"


def test_forwarding_is_as_sysctl_says():
    closed = Dumps((LINKS + CALICO, "l"), ("10.9.9.7 dev cali0a1b2c3d4e5 scope link", "r"),
                   sysctl=("net.ipv4.ip_forward = 0", "s"))  # fmt: skip
    with pytest.warns(PassedOver):
        cluster = Cluster.from_dumps({"node": closed})
    assert cluster["node"].sysctls["net.ipv4.ip_forward"] == 0


BROKEN = [
    ("ip-addr.txt", "", "there are no devices"),
    ("ip-addr.txt", None, "there is no ip-addr.txt"),
    ("ip-route.txt", "default via 10.0.0.1 dev eth9", "names eth9, and node1 has no such device"),
    ("iptables-save.txt", "*nat\n-A PREROUTING -j ACCEPT\n", "iptables-save.txt: a table has no COMMIT"),
    ("iptables-save.txt", "*nat\n-A PREROUTING -m wobble -j ACCEPT\nCOMMIT\n", "iptables-save.txt: Line 2"),
    ("ip_neigh", "", "holds the same as"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "says"), BROKEN, ids=[b[2] for b in BROKEN])
def test_refused(tmp_path, file, text, says):
    folder = tmp_path / "node1"
    shutil.copytree(NODE1, folder)
    (folder / file).unlink(missing_ok=True)
    if text is not None:
        (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(BadDump) as caught:
        Cluster.from_dumps({"node1": str(folder)})
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(BadDump, match="No such file"):
        read_folder(tmp_path / "none", [])


def test_command():
    told = k8snet(
        "trace", "10.1.15.2", "10.96.0.10:80", "--dump", f"node1={NODE1}", "--sport", "40001"
    )
    assert told.exit_code == 1 and told.stderr == ""
    assert (
        "DNAT --to-destination" in told.stdout and "nor is what is at the other end" in told.stdout
    )
    shown = k8snet("sh", "node1", "ip route get 10.1.20.3", "--dump", f"node1={NODE1}")
    assert shown.stdout.startswith("10.1.20.3 via 10.1.20.0 dev flannel.1 src 10.1.15.0")


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--dump", NODE1), "write --dump NAME=DIR"),
     (("--dump", f"n={NODE1}", "--manifests", "x"), "--dump excludes --manifests")],
    ids=["no-name", "manifests"],
)  # fmt: skip
def test_wrong_use(words, says):
    ran = k8snet("trace", "10.1.15.2", "10.1.20.3:80", *words)
    assert ran.exit_code == 2 and says in ran.stderr
