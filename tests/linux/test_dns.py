"""DNS: messages, kube-dns' answers, resolving, and what dig and nslookup print."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand, BadPacket
from k8snetlib.kube import dns
from k8snetlib.kube.api import Service
from k8snetlib.kube.apiserver import api_server
from k8snetlib.linux.resolver import candidates, read_config, resolve
from k8snetlib.wire.dns import (
    AA,
    NXDOMAIN,
    QR,
    RD,
    Edns,
    Message,
    Question,
    Record,
    decode,
    encode,
)
from tests.linux.dns_cluster import DROP, ZONE, dns_cluster


@pytest.fixture(scope="module")
def made() -> Cluster:
    return dns_cluster()


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    return made.clone()


# -- messages -------------------------------------------------------------------------------------

ASKED = Question(f"backend-svc.{ZONE}.", "A")
ANSWER = Record(ASKED.name, "A", 30, "10.96.0.10")
SOA = Record("cluster.local.", "SOA", 30, "ns.dns.cluster.local. h.cluster.local. 1 2 3 4 5")
ALIAS = Record(ASKED.name, "CNAME", 30, "a.example.com.")


@pytest.mark.parametrize(
    ("message", "length"),
    [
        (Message(7, RD, ASKED), 55),
        (Message(7, QR | AA | RD, ASKED, (ANSWER,)), 71),
        (Message(7, QR | NXDOMAIN, ASKED, (), (SOA,)), 100),
        (Message(7, QR, ASKED, (ALIAS,)), 82),
        (Message(7, RD, ASKED, edns=Edns(1232)), 66),
        (Message(7, RD, ASKED, edns=Edns(1232, b"12345678")), 78),
    ],
    ids=["query", "answer", "no such name", "alias", "edns", "cookie"],
)
def test_a_message_survives_its_bytes(message: Message, length: int) -> None:
    data = encode(message)
    assert decode(data) == message
    assert len(data) == length


@pytest.mark.parametrize(
    "data",
    [
        b"", b"hello", bytes(range(55)), encode(Message(1, RD, ASKED))[:-5],
        b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\x63\0\1",
    ],
    ids=["nothing", "a word", "numbers", "cut off", "a pointer to itself", "a strange type"],
)  # fmt: skip
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(BadPacket, match="no DNS message"):
        decode(data)


# -- kube-dns -------------------------------------------------------------------------------------

NAMES = [
    (f"backend-svc.{ZONE}", "A", ["10.96.0.10"]),
    (f"BACKEND-svc.{ZONE}", "A", ["10.96.0.10"]),
    (f"backend-svc.{ZONE}", "AAAA", []),
    ("kube-dns.kube-system.svc.cluster.local", "A", ["10.96.0.53"]),
    (f"kube-dns.{ZONE}", "A", None),
    (f"headless.{ZONE}", "A", ["10.1.20.3", "10.1.30.2"]),
    (f"10-1-30-2.headless.{ZONE}", "A", ["10.1.30.2"]),
    (f"10-1-20-4.headless.{ZONE}", "A", None),
    (f"nobody.{ZONE}", "A", None),
    (f"alias.{ZONE}", "A", ["example.com."]),
    (f"web1.{ZONE}", "A", None),
    ("backend-svc.default.cluster.local", "A", None),
    ("cluster.local", "A", []),
    (ZONE, "A", []),
    ("nowhere.svc.cluster.local", "A", None),
    ("example.com", "A", None),
    ("10.0.96.10.in-addr.arpa", "PTR", [f"backend-svc.{ZONE}."]),
    ("2.30.1.10.in-addr.arpa", "PTR",
     [f"10-1-30-2.backend-svc.{ZONE}.", f"10-1-30-2.headless.{ZONE}.",
      "10-1-30-2.kube-dns.kube-system.svc.cluster.local."]),
    ("9.9.9.9.in-addr.arpa", "PTR", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "wanted"), NAMES, ids=[f"{n}-{k}" for n, k, _ in NAMES])
def test_what_kube_dns_knows(
    cluster: Cluster, name: str, kind: str, wanted: list[str] | None
) -> None:
    """None: there is no such name; an empty list: there is, but not with that type."""
    data = dns.serve(cluster["backend"], encode(Message(7, RD, Question(f"{name}.", kind))))
    assert data is not None
    message = decode(data)
    assert (message.id, message.question) == (7, Question(f"{name.lower()}.", kind))
    assert message.rcode == (NXDOMAIN if wanted is None else 0)
    assert sorted(record.data for record in message.answers) == (wanted or [])
    assert bool(message.flags & AA) == (name != "example.com" and "9.9.9" not in name)


def test_unready_endpoints_are_told_if_the_service_says_so(cluster: Cluster) -> None:
    api = api_server(cluster.network)
    service = api.get(Service, "default", "headless")
    api.put(service._replace(publish_not_ready=True))
    assert len(cluster["web2"].sh("dig +search +short headless").split()) == 3


@pytest.mark.parametrize(
    ("netns", "payload", "is_dns"),
    [
        ("backend", encode(Message(7, RD, ASKED)), True),
        ("backend-c", encode(Message(7, RD, ASKED)), True),
        ("web1", encode(Message(7, RD, ASKED)), False),
        ("backend", b"hello", False),
        ("backend", encode(Message(7, QR, ASKED)), False),
    ],
)
def test_who_serves_what(cluster: Cluster, netns: str, payload: bytes, is_dns: bool) -> None:
    """A pod that kube-dns leads to answers queries; other servers and other words go on as ever."""
    exchange = cluster.send("web2", netns, 53, payload=payload)
    assert exchange.ok and exchange.reply is not None
    data = exchange.reply.last.packet.payload
    assert isinstance(data, bytes)
    assert data.startswith(b"I am") != is_dns


# -- resolving ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ndots", "wanted"),
    [
        ("x", 5, ["x.a.b.", "x.b.", "x."]),
        ("x.y", 1, ["x.y.", "x.y.a.b.", "x.y.b."]),
        ("x.y", 2, ["x.y.a.b.", "x.y.b.", "x.y."]),
        ("x.", 5, ["x."]),
    ],
)
def test_the_search_list(name: str, ndots: int, wanted: list[str]) -> None:
    assert candidates(name, ("a.b", "b"), ndots) == wanted


def test_a_pods_files(cluster: Cluster) -> None:
    web2 = cluster["web2"]
    assert web2.sh("cat /etc/resolv.conf") == (
        "search default.svc.cluster.local svc.cluster.local cluster.local\n"
        "nameserver 10.96.0.53\noptions ndots:5"
    )
    assert web2.sh("cat /etc/hosts").splitlines()[-1] == "10.1.15.2\tweb2"
    assert read_config(cluster["node1"]).servers == ("127.0.0.1",)


RESOLVED = [
    ("backend-svc", "10.96.0.10", "", 1),
    ("backend-svc.default", "10.96.0.10", "", 2),
    ("kube-dns.kube-system", "10.96.0.53", "", 2),
    ("kube-dns.kube-system.svc.cluster.local.", "10.96.0.53", "", 1),
    ("web2", "10.1.15.2", "", 0),
    ("localhost", "127.0.0.1", "", 0),
    ("10.1.2.3", "10.1.2.3", "", 0),
    ("web1", "", "Name or service not known", 4),
    ("alias", "", "No address associated with hostname", 4),
]


@pytest.mark.parametrize(("name", "ip", "problem", "asked"), RESOLVED, ids=[r[0] for r in RESOLVED])
def test_a_pod_resolves_names(
    cluster: Cluster, name: str, ip: str, problem: str, asked: int
) -> None:
    """... by so many queries, each a packet to kube-dns' cluster IP."""
    found = resolve(cluster["web2"], name)
    assert (found.ip, found.problem) == (ip, problem)
    queries = [
        t for t in found.packets if t.hops[0].netns == "web2" and not t.label.startswith("ARP")
    ]
    assert len(queries) == asked
    for trace in queries:
        assert trace.frames[0].packet.ip.dst == "10.96.0.53"
        assert trace.end in ("backend", "backend-c")


DEAD = [
    (DROP, 20.0),
    ("iptables -I FORWARD -d 10.1.0.0/16 -p udp --dport 53 -j REJECT", 0.0),
    ("iptables -t nat -F KUBE-SERVICES", 0.0),
    ("sysctl -w net.bridge.bridge-nf-call-iptables=0", None),
]


@pytest.mark.parametrize(("command", "took"), DEAD, ids=["drop", "reject", "no rules", "no brnf"])
def test_when_dns_fails_names_fail(cluster: Cluster, command: str, took: float | None) -> None:
    """Two attempts of five seconds for the first name of the list, two for the name as it is; an
    ICMP error (the router knows no Services) ends the waiting at once."""
    cluster["node1"].sh(command)
    began = cluster.network.now
    said = cluster["web2"].sh("ping -c 1 backend-svc")
    if took is None:  # routed, not bridged: only Services on the same node suffer
        assert said.startswith("PING")
        return
    assert said == "ping: backend-svc: Temporary failure in name resolution"
    assert cluster.network.now - began == pytest.approx(took)


def test_an_answer_from_another_address_is_none(cluster: Cluster) -> None:
    """DNS on the own node, bridge-nf-call-iptables off: the answer comes straight from the pod."""
    cluster["node2"].sh("sysctl -w net.bridge.bridge-nf-call-iptables=0")
    cluster["node2"].sh(
        "iptables -t nat -I PREROUTING -d 10.96.0.53/32 -p udp -j DNAT --to-destination 10.1.20.3"
    )
    began = cluster.network.now
    said = cluster["backend-b"].sh("dig +tries=1 +short backend-svc.default.svc.cluster.local")
    assert said.splitlines()[0] == ";; communications error to 10.96.0.53#53: timed out"
    assert cluster.network.now - began == pytest.approx(5.0)
    assert any(t.hops[0].netns == "backend" and t.end == "backend-b" for t in cluster.network.last)


def test_curl_by_name(cluster: Cluster) -> None:
    """What tcpdump shows afterwards is the question to DNS, and then the connection."""
    web2 = cluster["web2"]
    assert web2.sh("curl -s http://backend-svc/").startswith("I am backend")
    lines = web2.sh("tcpdump -n -t -i eth0 ip").splitlines()
    assert "10.96.0.53.53" in lines[0] and "10.96.0.10.80: Flags [S]" in lines[2]
    assert [trace.n for trace in cluster.network.last] == list(range(len(cluster.network.last)))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("curl http://nope/", "curl: (6) Could not resolve host: nope"),
        ("curl -s http://nope/", ""),
        ("curl -m 1 http://nope/", "curl: (6) Could not resolve host: nope"),
        ("ping -c 1 nope", "ping: nope: Name or service not known"),
        ("traceroute nope", "nope: Name or service not known"),
    ],
)
def test_a_name_that_is_none(cluster: Cluster, command: str, says: str) -> None:
    assert cluster["web2"].sh(command) == says


@pytest.mark.parametrize(
    ("options", "says", "took"),
    [
        ("-m 3", "curl: (28) Resolving timed out after 3000 milliseconds", 3.0),
        ("--connect-timeout 7", "curl: (28) Resolving timed out after 7000 milliseconds", 7.0),
        ("", "curl: (6) Could not resolve host: backend-svc", 20.0),
    ],
)
def test_curl_waits_for_names_no_longer_than_it_is_told(
    cluster: Cluster, options: str, says: str, took: float
) -> None:
    cluster["node1"].sh(DROP)
    began = cluster.network.now
    assert cluster["web2"].sh(f"curl {options} http://backend-svc/") == says
    assert cluster.network.now - began == pytest.approx(took)


def test_ping_by_name_prints_names(cluster: Cluster) -> None:
    """The target's full name, and of who answers the name that DNS has for the address."""
    lines = cluster["web2"].sh("ping -c 1 10-1-30-2.headless").splitlines()
    full = f"10-1-30-2.headless.{ZONE}"
    assert lines[0] == f"PING {full} (10.1.30.2) 56(84) bytes of data."
    assert lines[1].startswith("64 bytes from 10-1-30-2.") and "(10.1.30.2): icmp_seq=1" in lines[1]
    assert f"--- {full} ping statistics ---" in lines
    plain = cluster["web2"].sh("ping -n -c 1 10-1-30-2.headless").splitlines()
    assert plain[1].startswith("64 bytes from 10.1.30.2: icmp_seq=1")


def test_traceroute_by_name(cluster: Cluster) -> None:
    said = cluster["web2"].sh("traceroute -n -q 1 10-1-20-3.headless").splitlines()
    assert said[0].startswith("traceroute to 10-1-20-3.headless (10.1.20.3), 30 hops max")
    assert "10.1.20.3" in said[-1]


def test_nodes_resolve_no_names(cluster: Cluster) -> None:
    with pytest.raises(BadCommand, match="Could not resolve host: web1") as caught:
        cluster["node1"].sh("curl http://web1/")
    assert "web1 is 10.1.15.3" in caught.value.hint
    said = cluster["node1"].sh("curl http://backend-svc/")
    assert said == "curl: (6) Could not resolve host: backend-svc"
