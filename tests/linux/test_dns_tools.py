"""What dig, nslookup and tcpdump print of DNS, character by character as the real ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.tools.dumped import Dumper
from k8snetlib.packet import Ethernet, IPv4, Packet, Udp
from k8snetlib.trace import Frame, Names
from k8snetlib.wire import pcap_bytes
from k8snetlib.wire.dns import (
    AA,
    AD,
    NXDOMAIN,
    QR,
    RA,
    RD,
    Edns,
    Message,
    Question,
    Record,
    encode,
)
from tests.conftest import require_tool
from tests.linux.dns_cluster import DROP, ZONE, dns_cluster

ASKED = Question(f"backend-svc.{ZONE}.", "A")
ANSWER = Record(ASKED.name, "A", 30, "10.96.0.10")
SOA = Record("cluster.local.", "SOA", 30, "ns.dns.cluster.local. h.cluster.local. 1 2 3 4 5")
ALIAS = Record(ASKED.name, "CNAME", 30, "a.example.com.")


@pytest.fixture(scope="module")
def made() -> Cluster:
    return dns_cluster()


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    return made.clone()


# -- dig and nslookup -----------------------------------------------------------------------------

#: Printed by the real tools (9.18.49) when the real server behind them answered with ``dns.serve``.
REAL = {
    f"dig backend-svc.{ZONE}": f"""
; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> backend-svc.{ZONE}
;; global options: +cmd
;; Got answer:
;; WARNING: .local is reserved for Multicast DNS
;; You are currently testing what happens when an mDNS query is leaked to DNS
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: ID
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
; COOKIE: COOKIE (echoed)
;; QUESTION SECTION:
;backend-svc.{ZONE}. IN A

;; ANSWER SECTION:
backend-svc.{ZONE}. 30 IN A	10.96.0.10

;; Query time: 0 msec
;; SERVER: 10.96.0.53#53(10.96.0.53) (UDP)
;; WHEN: Sat Jan 01 00:00:00 UTC 2000
;; MSG SIZE  rcvd: 94
""",
    "dig @10.96.0.53 nope": """
; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> @10.96.0.53 nope
; (1 server found)
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: ID
;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
; COOKIE: COOKIE (echoed)
;; QUESTION SECTION:
;nope.				IN	A

;; Query time: 0 msec
;; SERVER: 10.96.0.53#53(10.96.0.53) (UDP)
;; WHEN: Sat Jan 01 00:00:00 UTC 2000
;; MSG SIZE  rcvd: 45
""",
    "dig +noedns nope.cluster.local": """
; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> +noedns nope.cluster.local
;; global options: +cmd
;; Got answer:
;; WARNING: .local is reserved for Multicast DNS
;; You are currently testing what happens when an mDNS query is leaked to DNS
;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: ID
;; flags: qr aa rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 0
;; WARNING: recursion requested but not available

;; QUESTION SECTION:
;nope.cluster.local.		IN	A

;; AUTHORITY SECTION:
cluster.local.		30	IN	SOA	ns.dns.cluster.local. hostmaster.cluster.local. 946684800 7200 1800 86400 30

;; Query time: 0 msec
;; SERVER: 10.96.0.53#53(10.96.0.53) (UDP)
;; WHEN: Sat Jan 01 00:00:00 UTC 2000
;; MSG SIZE  rcvd: 90
""",
    "dig +search nope +nocomments +nostats": """
; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> +search nope +nocomments +nostats
;; global options: +cmd
;nope.				IN	A
""",
    f"dig -t CNAME alias.{ZONE} +noall +answer": f"alias.{ZONE}. 30 IN	CNAME	example.com.\n",
    "dig -x 10.96.0.10 +noall +answer": f"10.0.96.10.in-addr.arpa. 30	IN	PTR	backend-svc.{ZONE}.\n",
    "nslookup backend-svc": f"""\
;; Got recursion not available from 10.96.0.53
Server:		10.96.0.53
Address:	10.96.0.53#53

Name:	backend-svc.{ZONE}
Address: 10.96.0.10
;; Got recursion not available from 10.96.0.53
""",
    "nslookup nope": """\
;; Got recursion not available from 10.96.0.53
;; Got recursion not available from 10.96.0.53
;; Got recursion not available from 10.96.0.53
;; Got recursion not available from 10.96.0.53
Server:		10.96.0.53
Address:	10.96.0.53#53

** server can't find nope: NXDOMAIN
""",
    "nslookup backend-svc 10.96.0.53": f"""\
Server:		10.96.0.53
Address:	10.96.0.53#53

Name:	backend-svc.{ZONE}
Address: 10.96.0.10
""",
    "nslookup 10.96.0.10": f"""\
;; Got recursion not available from 10.96.0.53
10.0.96.10.in-addr.arpa	name = backend-svc.{ZONE}.
""",
    "nslookup 10.1.99.9": """\
;; Got recursion not available from 10.96.0.53
** server can't find 9.99.1.10.in-addr.arpa: NXDOMAIN
""",
    "nslookup -type=cname alias": f"""\
;; Got recursion not available from 10.96.0.53
Server:		10.96.0.53
Address:	10.96.0.53#53

alias.{ZONE}	canonical name = example.com.
""",
    "nslookup -type=cname backend-svc": """\
;; Got recursion not available from 10.96.0.53
Server:		10.96.0.53
Address:	10.96.0.53#53

*** Can't find backend-svc: No answer
""",
    "dig @10.1.20.4 +time=1 x": """\
;; communications error to 10.1.20.4#53: connection refused
;; communications error to 10.1.20.4#53: connection refused
;; communications error to 10.1.20.4#53: connection refused

; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> @10.1.20.4 +time=1 x
; (1 server found)
;; global options: +cmd
;; no servers could be reached
""",
    "nslookup x 10.1.20.4": """\
;; communications error to 10.1.20.4#53: connection refused
;; communications error to 10.1.20.4#53: connection refused
;; communications error to 10.1.20.4#53: connection refused
;; no servers could be reached
""",
}  # fmt: skip


@pytest.mark.parametrize(("command", "printed"), REAL.items(), ids=REAL)
def test_they_print_what_the_real_ones_print(cluster: Cluster, command: str, printed: str) -> None:
    said = []
    for line in cluster["web2"].sh(command).splitlines():
        if "->>HEADER<<-" in line:
            line = line.rpartition(" ")[0] + " ID"
        if line.startswith("; COOKIE: "):
            line = "; COOKIE: COOKIE (echoed)"
        said.append(line)
    assert "\n".join(said).rstrip("\n") == printed.rstrip("\n")


def test_a_node_asks_as_well_if_it_is_told_whom(cluster: Cluster) -> None:
    """It has no resolv.conf: its own port 53 is asked, where nobody listens."""
    name = f"backend-svc.{ZONE}"
    assert cluster["node3"].sh(f"dig @10.96.0.53 +short {name}") == "10.96.0.10"
    lines = cluster["node3"].sh(f"dig {name}").splitlines()
    assert lines[0] == ";; communications error to 127.0.0.1#53: connection refused"


def test_dig_gives_up_after_three_times_five_seconds(cluster: Cluster) -> None:
    cluster["node1"].sh(DROP)
    began = cluster.network.now
    lines = cluster["web2"].sh("dig nope").splitlines()
    assert lines[:3] == [";; communications error to 10.96.0.53#53: timed out"] * 3
    assert lines[-1] == ";; no servers could be reached"
    assert cluster.network.now - began == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("command", "problem", "took"),
    [
        ("iptables -t nat -F KUBE-SERVICES", "timed out", 5.0),
        ("iptables -I FORWARD -p udp -j REJECT", "connection refused", 0.0),
        ("iptables -I FORWARD -p udp -j REJECT --reject-with icmp-host-prohibited",
         "host unreachable", 0.0),
        ("iptables -I FORWARD -p udp -j REJECT --reject-with icmp-net-prohibited",
         "network unreachable", 0.0),
        ("iptables -I FORWARD -p udp -j REJECT --reject-with icmp-host-unreachable",
         "timed out", 5.0),
    ],
)  # fmt: skip
def test_digs_socket_hears_of_final_errors_only(
    cluster: Cluster, command: str, problem: str, took: float
) -> None:
    cluster["node1"].sh(command)
    began = cluster.network.now
    lines = cluster["web2"].sh("dig +tries=1 nope").splitlines()
    assert lines[0] == f";; communications error to 10.96.0.53#53: {problem}"
    assert cluster.network.now - began == pytest.approx(took)


def test_dig_without_a_route(cluster: Cluster) -> None:
    cluster["web2"].sh("ip route del default")
    said = cluster["web2"].sh("dig @10.9.0.2 +tries=1 x")
    assert said == (
        ";; UDP setup with 10.9.0.2#53(10.9.0.2) for x failed: network unreachable.\n"
        ";; no servers could be reached"
    )


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("dig", "root servers"),
        ("dig +nope x", r"Invalid option: \+nope"),
        ("dig -y x", "'-y' is not modelled"),
        ("dig a b c", "one name a command"),
        ("nslookup", "no prompt of its own"),
        ("nslookup -debug x", "'-debug' is not modelled"),
    ],
)
def test_what_they_refuse(cluster: Cluster, command: str, says: str) -> None:
    with pytest.raises(BadCommand, match=says):
        cluster["web2"].sh(command)


# -- tcpdump --------------------------------------------------------------------------------------

MESSAGES = [
    Message(7, RD, ASKED),
    Message(7, RD | AD, ASKED, edns=Edns(1232, b"12345678")),
    Message(7, QR | AA | RD, ASKED, (ANSWER,)),
    Message(7, QR | AA | RD, ASKED, (ANSWER, ANSWER._replace(data="10.1.2.3")), edns=Edns(1232)),
    Message(7, QR | AA | NXDOMAIN, ASKED, (), (SOA,)),
    Message(7, QR | RA, ASKED, (ALIAS,)),
    Message(7, QR | RD, Question("3.20.1.10.in-addr.arpa.", "PTR"),
            (Record("3.20.1.10.in-addr.arpa.", "PTR", 30, "a.example.com."),)),
]  # fmt: skip


def test_tcpdump_reads_dns_as_the_real_one(tmp_path: Path) -> None:
    require_tool("tcpdump")
    file, packets = tmp_path / "dns.pcap", []
    for message in MESSAGES:
        ends = (53, 40000) if message.flags & QR else (40000, 53)
        ips = ("10.96.0.53", "10.1.15.2") if message.flags & QR else ("10.1.15.2", "10.96.0.53")
        headers = Ethernet("02:42:0a:01:0f:02", "02:42:0a:01:0f:01"), IPv4(*ips, 17), Udp(*ends)
        packets.append(Packet(*headers, payload=encode(message)))
    frames = [Frame("web2", "eth0", "in", packet, 0.0, Names({}, {})) for packet in packets]
    file.write_bytes(pcap_bytes(frames, 1))
    real = subprocess.run(
        ["tcpdump", "-n", "-t", "-r", file], check=True, capture_output=True, text=True
    ).stdout
    dumper = Dumper(numeric=True, link=False)
    assert [dumper.text(packet) for packet in packets] == real.splitlines()
