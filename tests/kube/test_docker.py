"""Docker on a node: its bridge, its rules, published ports, and the masquerading that spoils flannel."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadManifest, K8sNetError
from k8snetlib.kube import docker
from k8snetlib.kube.api import example_spec
from k8snetlib.kube.docker import DockerConf, Published
from k8snetlib.kube.manifests import read_manifests, write_manifests
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen

#: nat and filter of a fresh dockerd with one published port, as iptables-save prints them.
RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT"""
PORT = Published("172.17.0.2", 8080, 80)


def machine(conf, *names, hairpin=False):
    """The example's client with dockerd and containers."""
    cluster = Cluster.example()
    host = cluster["client"]
    docker.start(host, conf)
    for name in names:
        ns = cluster.network.add(Netns(name, "pod"))
        listen(ns, Listener("tcp", "0.0.0.0", 80, name))
        docker.connect(host, conf, ns, hairpin=hairpin)
    return cluster


def heard(exchange, where):
    """Who sent the first TCP packet that a device got."""
    lines = (str(f) for f in exchange.capture())
    line = next(ln for ln in lines if ln.startswith(f"{where} in") and " ttl" in ln)
    return line.split("] ", 1)[1].partition(":")[0]


def test_the_rules_of_dockerd():
    conf = DockerConf(forward_drop=True)
    host = machine(conf, "a")["client"]
    docker.publish(host, conf, PORT)
    assert host.sh("iptables-save") == RULES
    docker.start(host, conf)  # a restart changes nothing
    docker.publish(host, conf, PORT)
    assert host.sh("iptables-save") == RULES
    docker.unpublish(host, conf, PORT)
    docker.unpublish(host, conf, PORT)
    left = [line for line in RULES.splitlines() if "172.17.0.2" not in line]
    assert host.sh("iptables-save").splitlines() == left


@pytest.mark.parametrize(
    ("changes", "has", "has_not"),
    [
        ({"ip_masq": False}, "-A FORWARD -o docker0 -j DOCKER", "-j MASQUERADE"),
        ({}, ":FORWARD ACCEPT", ":FORWARD DROP"),
        ({"bip": "10.1.15.1/24"}, "-s 10.1.15.0/24 ! -o docker0", "172.17"),
        ({"iptables": False, "forward_drop": True}, "", "-A "),
    ],
)
def test_options(changes, has, has_not):
    text = machine(DockerConf(**changes))["client"].sh("iptables-save")
    assert has in text
    assert has_not not in text


def test_dockers_rule_stands_in_front_of_others():
    host = Cluster.example()["client"]
    host.sh("iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -j ACCEPT")
    docker.start(host, DockerConf())
    rules = [str(rule) for rule in host.ruleset.chain("nat", "POSTROUTING").rules]
    assert rules == ["-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "-s 10.0.0.0/8 -j ACCEPT"]


def test_without_iptables_nothing_is_published():
    conf = DockerConf(iptables=False)
    cluster = machine(conf, "a")
    docker.publish(cluster["client"], conf, PORT)
    assert cluster["client"].sh("iptables-save") == ""


def test_the_lowest_free_address_is_next():
    conf = DockerConf("192.0.2.1/29", mtu=1400)
    cluster = machine(conf, "a", "b", "c")
    host = cluster["client"]
    assert [cluster[n].devices["eth0"].addresses[0].ip[-1] for n in "abc"] == ["2", "3", "4"]
    docker.disconnect(cluster["b"])
    assert docker.next_address(host, conf) == "192.0.2.3"
    for name, ip in (("d", "192.0.2.3"), ("e", "192.0.2.5"), ("f", "192.0.2.6")):
        ns = cluster.network.add(Netns(name, "pod"))
        assert docker.connect(host, conf, ns).ip == ip
    with pytest.raises(K8sNetError, match="no available IPv4 addresses"):
        docker.next_address(host, conf)
    assert cluster["d"].devices["eth0"].mtu == host.devices["docker0"].mtu == 1400
    assert cluster["d"].devices["eth0"].mac == "02:42:c0:00:02:03"
    assert cluster.ping("a", "d").outcome == "delivered"


def test_a_new_bip_replaces_the_old_one():
    host = machine(DockerConf())["client"]
    docker.start(host, DockerConf("10.1.15.1/24"))
    assert [str(a) for a in host.devices["docker0"].addresses] == ["10.1.15.1/24"]


@pytest.mark.parametrize("source", ["node1", "client", "b"])
def test_a_published_port(source):
    conf = DockerConf(forward_drop=True)
    cluster = machine(conf, "a", "b")
    target = "192.168.66.100"
    assert cluster.connect(source, target, port=8080).outcome == "refused"
    docker.publish(cluster["client"], conf, PORT)
    exchange = cluster.connect(source, target, port=8080)
    # Containers on the bridge do not get there: they need the userland proxy.
    assert exchange.outcome == ("refused" if source == "b" else "delivered")


def test_forward_drop_keeps_strangers_out():
    for drop, outcome in ((False, "delivered"), (True, "dropped")):
        cluster = machine(DockerConf(forward_drop=drop), "a", "b")
        cluster["node1"].sh("ip route add 172.17.0.0/16 via 192.168.66.100")
        assert cluster.connect("node1", "172.17.0.2", port=80).outcome == outcome
        assert cluster.connect("a", "node1", port=10250).outcome == "delivered"
        assert cluster.connect("a", "b", port=80).outcome == "delivered"


def test_a_container_without_network_is_refused():
    with pytest.raises(K8sNetError, match="part of no network"):
        docker.connect(Netns("x"), DockerConf(), Netns("y"))


# -- in the example cluster -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "on", "sees"),
    [
        ("udp", False, "10.1.15.2"),
        ("udp", True, "10.1.15.0"),
        ("vxlan", False, "10.1.15.2"),
        ("vxlan", True, "10.1.15.0"),
        ("host-gw", False, "10.1.15.2"),
        ("host-gw", True, "192.168.66.11"),
    ],
)
def test_whom_the_backend_sees(backend, on, sees):
    cluster = Cluster.example(backend, docker_masquerade=on)
    exchange = cluster.connect("web2", "backend", port=8080)
    assert exchange.outcome == "delivered"
    assert heard(exchange, "backend:eth0") == sees
    # On the same node nothing is hidden, rule or no rule: it does not leave docker0.
    assert heard(cluster.connect("web2", "web1", port=80), "web1:eth0") == "10.1.15.2"


@pytest.mark.parametrize("masq", [False, True])
@pytest.mark.parametrize("drop", [False, True])
def test_each_option_stands_alone(masq, drop):
    spec = example_spec(docker_masquerade=masq)
    node1 = Cluster(spec._replace(network=spec.network._replace(docker_forward_drop=drop)))["node1"]
    text = node1.sh("iptables-save")
    assert ("-s 10.1.15.0/24 ! -o docker0 -j MASQUERADE" in text) is masq
    assert (":FORWARD DROP" in text) is drop
    assert (":DOCKER -" in text) is (masq or drop)


@pytest.mark.parametrize(("on", "outcome"), [(False, "lost"), (True, "delivered")])
def test_masquerading_lets_containers_out(on, outcome):
    """What the rule is for: hosts that have no route back to a container."""
    exchange = machine(DockerConf(ip_masq=on), "a").connect("a", "ext", port=80)
    assert exchange.outcome == outcome
    assert heard(exchange, "ext:eth0") == ("192.168.66.100" if on else "172.17.0.2")


def test_the_document_carries_dockers_options(tmp_path):
    spec = example_spec(docker_masquerade=True)
    spec = spec._replace(network=spec.network._replace(docker_forward_drop=True))
    write_manifests(spec, tmp_path)
    assert read_manifests(tmp_path) == spec
    text = (tmp_path / "network.yaml").read_text()
    assert "ipMasq: true" in text
    assert "forwardPolicy: DROP" in text
    assert Cluster(spec)["node1"].ruleset.chain("filter", "FORWARD").policy == "DROP"
    (tmp_path / "network.yaml").write_text(text.replace("DROP", "REJECT"))
    with pytest.raises(BadManifest, match=r"bridge\.forwardPolicy is 'REJECT'"):
        read_manifests(tmp_path)
