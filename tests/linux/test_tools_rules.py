"""The tools for rules, connections and probes: what they print, change and refuse.

That the output is the real tools' is proved in ``tests/kernel/test_tools_real2.py``, as root.
"""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.tools import run

RULES = """\
iptables -N GUARD
iptables -A GUARD -s 10.1.15.2 -p tcp --dport http -j ACCEPT
iptables -A GUARD -j DROP
iptables -A FORWARD -j GUARD
iptables -t nat -A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE"""

LISTED = """\
Chain GUARD (1 references)
num   pkts bytes target     prot opt in     out     source               destination
1        0     0 ACCEPT     6    --  *      *       10.1.15.2            0.0.0.0/0            tcp dpt:80
2        0     0 DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0"""

SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:GUARD - [0:0]
-A FORWARD -j GUARD
-A GUARD -s 10.1.15.2/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A GUARD -j DROP
COMMIT"""

NFT = """\
table ip filter {
\tchain GUARD {
\t\tip saddr 10.1.15.2 tcp dport 80 counter packets 0 bytes 0 accept
\t\tcounter packets 0 bytes 0 drop
\t}
}"""

PRINTS = [
    ("iptables -nvL GUARD --line-numbers", LISTED),
    ("iptables-save -t filter", SAVED),
    ("iptables -t nat -S POSTROUTING", "-P POSTROUTING ACCEPT\n"
     "-A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE"),
    ("iptables -S GUARD 2", "-A GUARD -j DROP"),
    ("iptables -C GUARD -j DROP", ""),
    ("iptables -D GUARD 1; iptables -S GUARD", "-N GUARD\n-A GUARD -j DROP"),
    ("iptables -I GUARD -i docker0 -j RETURN; iptables -S GUARD 1", "-A GUARD -i docker0 -j RETURN"),
    ("iptables -R GUARD 2 -j RETURN; iptables -S GUARD 2", "-A GUARD -j RETURN"),
    ("iptables -E GUARD GATE; iptables -S FORWARD", "-P FORWARD ACCEPT\n-A FORWARD -j GATE"),
    ("iptables -A GUARD -p tcp --dport=443 -j DROP; iptables -S GUARD 3",
     "-A GUARD -p tcp -m tcp --dport 443 -j DROP"),
    ("iptables -P FORWARD DROP; iptables -S FORWARD", "-P FORWARD DROP\n-A FORWARD -j GUARD"),
    ("iptables -F; iptables -X; iptables -S", "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT"),
    ("iptables -t raw -S; iptables-save -t raw", "-P PREROUTING ACCEPT\n-P OUTPUT ACCEPT"),
    ("nft list chain ip filter GUARD", NFT),
    ("nft list tables", "table ip filter\ntable ip nat"),
    ("conntrack -L; conntrack -F", ""),
    ("conntrack -C", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "text"), PRINTS, ids=[p[0] for p in PRINTS])
def test_prints(command, text):
    router = Cluster.example()["router"]
    assert router.sh(RULES) == ""
    assert router.sh(command) == text


#: A change on node1, and the fate of a connection from web2 to backend afterwards.
FATES = [
    ("iptables -A FORWARD -p tcp --dport 8080 -j DROP", "dropped"),
    ("iptables -A FORWARD -p tcp --dport 8080 -j REJECT", "rejected"),
    ("iptables -P FORWARD DROP", "dropped"),
    ("iptables -P FORWARD DROP; iptables -I FORWARD -j ACCEPT", "delivered"),
    ("iptables -A FORWARD -j DROP; iptables -F FORWARD", "delivered"),
    ("iptables -t raw -A PREROUTING -s 10.1.15.2 -j DROP", "dropped"),
]


def bare_cluster() -> Cluster:
    """The example without flannel's own rules."""
    return Cluster.example(flanneld="--iptables-forward-rules=false")


@pytest.mark.parametrize(("change", "fate"), FATES, ids=[f[0] for f in FATES])
def test_packets_meet_the_rules(change, fate):
    cluster = bare_cluster()
    assert cluster.connect("web2", "10.1.20.3", port=8080).ok
    cluster["node1"].sh(change)
    exchange = cluster.connect("web2", "10.1.20.3", port=8080)
    assert exchange.outcome == fate, str(exchange)


def test_counters_count_and_are_kept():
    cluster = bare_cluster()
    node1 = cluster["node1"]
    node1.sh("iptables -A FORWARD -s 10.1.15.2 -p icmp -j ACCEPT")
    cluster.send("web2", "10.1.20.3", proto="icmp")
    assert node1.sh("iptables -S FORWARD -v").endswith("-p icmp -c 1 84 -j ACCEPT")
    node1.sh("iptables -A FORWARD -j DROP")
    assert "-p icmp -c 1 84 -j ACCEPT" in node1.sh("iptables -S FORWARD -v")
    node1.sh("iptables -Z")
    assert "-c 0 0" in node1.sh("iptables -S FORWARD -v")


def test_a_saved_text_can_be_restored():
    cluster = Cluster.example()
    node1, node2 = cluster["node1"], cluster["node2"]
    node1.sh(RULES)
    text = node1.sh("iptables-save")
    assert run(node2, "iptables-restore", stdin=text) == ""
    assert node2.sh("iptables-save") == text
    with pytest.raises(BadCommand, match="Chain 'NOPE' does not exist"):
        run(node2, "iptables-restore", stdin="*filter\n-A INPUT -j NOPE\nCOMMIT\n")
    with pytest.raises(BadCommand, match="line: 2"):
        run(node2, "iptables-restore", stdin="*filter\n-A INPUT --nope\nCOMMIT\n")
    run(node2, "iptables-restore --test", stdin="*filter\nCOMMIT\n")
    assert node2.sh("iptables-save") == text


def test_connections_with_nat():
    cluster = bare_cluster()
    node1 = cluster["node1"]
    node1.sh("iptables -t nat -A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    cluster.send("web2", "192.168.66.1", port=9, sport=40000)
    assert node1.sh("conntrack -L -p udp -d 192.168.66.1") == (
        "udp      17 30 src=10.1.15.2 dst=192.168.66.1 sport=40000 dport=9 [UNREPLIED] "
        "src=192.168.66.1 dst=192.168.66.11 sport=9 dport=40000 mark=0 use=1"
    )
    assert node1.sh("conntrack -L -n -p udp").count("\n") == 0
    assert node1.sh("conntrack -D -p udp --dport 9").startswith("udp")
    assert node1.sh("conntrack -L -n") == ""


PING = """\
PING 10.1.15.3 (10.1.15.3) 56(84) bytes of data.
64 bytes from 10.1.15.3: icmp_seq=1 ttl=64 time=0.000 ms
64 bytes from 10.1.15.3: icmp_seq=2 ttl=64 time=0.000 ms

--- 10.1.15.3 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 1000ms
rtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms"""
PING_LOST = """\
PING 10.1.15.77 (10.1.15.77) 56(84) bytes of data.
From 10.1.15.2 icmp_seq=1 Destination Host Unreachable
From 10.1.15.2 icmp_seq=2 Destination Host Unreachable
From 10.1.15.2 icmp_seq=3 Destination Host Unreachable

--- 10.1.15.77 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 3000ms
pipe 3"""
TRACEROUTE = """\
traceroute to 10.1.20.3 (10.1.20.3), 30 hops max, 60 byte packets
 1  10.1.15.1  0.000 ms
 2  *
 3  *
 4  10.1.20.0  0.000 ms
 5  10.1.20.3  0.000 ms"""

PROBES = [
    ("web2", "ping -c 2 10.1.15.3", PING),
    ("web2", "ping -c 3 10.1.15.77", PING_LOST),
    ("web2", "ping -c 1 -q -W 1 10.1.15.77", "PING 10.1.15.77 (10.1.15.77) 56(84) bytes of data.\n\n"
     "--- 10.1.15.77 ping statistics ---\n"
     "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n"),
    ("node1", "ping -c 1 nobody", "ping: nobody: Name or service not known"),
    ("router", "ping -c 1 10.1.20.3", "ping: connect: Network is unreachable"),
    ("router", "traceroute 10.1.20.3", "traceroute to 10.1.20.3 (10.1.20.3), 30 hops max, "
     "60 byte packets\nconnect: Network is unreachable"),
    ("web2", "traceroute -n -q 1 10.1.20.3", TRACEROUTE),
    ("web2", "traceroute -n -I -q 1 10.1.20.3", TRACEROUTE),
    ("web2", "traceroute -n -T -p 8080 -q 1 10.1.20.3", TRACEROUTE),
    ("web2", "traceroute -n -m 1 -q 2 10.1.15.77", "traceroute to 10.1.15.77 (10.1.15.77), 1 hops "
     "max, 60 byte packets\n 1  10.1.15.2  3000.000 ms !H  3000.000 ms !H"),
    ("web2", "curl http://10.1.15.3/", "I am web1. I see 10.1.15.2:PORT. I got 73 bytes."),
    ("web2", "curl 10.1.20.3:81", "curl: (7) Failed to connect to 10.1.20.3 port 81 after 0 ms: "
     "Couldn't connect to server"),
    ("web2", "curl -s 10.1.20.3:81", ""),
    ("web2", "curl -sSm2 10.1.15.77", "curl: (28) Connection timed out after 2000 milliseconds"),
    ("web2", "curl --connect-timeout 2 10.1.15.77", "curl: (28) Failed to connect to 10.1.15.77 "
     "port 80 after 2000 ms: Timeout was reached"),
    ("node1", "curl http://nobody/", "curl: (6) Could not resolve host: nobody"),
    ("web2", "ping -c 1 10.1.15.3; tcpdump -n -t -i eth0 icmp",
     PING.splitlines()[0] + "\n" + PING.splitlines()[1] + """

--- 10.1.15.3 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms
IP 10.1.15.2 > 10.1.15.3: ICMP echo request, id PORT, seq 1, length 64
IP 10.1.15.3 > 10.1.15.2: ICMP echo reply, id PORT, seq 1, length 64"""),
]  # fmt: skip


@pytest.mark.parametrize(("ns", "command", "text"), PROBES, ids=[f"{n}$ {c}" for n, c, _ in PROBES])
def test_probes(ns, command, text):
    import re

    said = Cluster.example()[ns].sh(command)
    assert re.sub(r"(10\.1\.15\.2:|id )\d+", r"\1PORT", said) == text.rstrip("\n")


def test_tcpdump_shows_the_last_walk_only():
    cluster = Cluster.example()
    web2, node1 = cluster["web2"], cluster["node1"]
    assert web2.sh("tcpdump -i eth0") == ""
    web2.sh("traceroute -n -q 1 10.1.20.3")
    lines = web2.sh("tcpdump -ni eth0 udp").splitlines()
    # traceroute keeps sixteen probes under way, though the fifth has arrived.
    ports = [line.split()[4].split(".")[-1] for line in lines]
    assert ports == [f"{33434 + n}:" for n in range(16)]
    assert lines[0].startswith("00:00:00.000000 IP 10.1.15.2.")
    assert lines[3].startswith("00:00:10.000000 IP 10.1.15.2.")  # two probes found no answer
    cluster.ping("web2", "web1")
    assert web2.sh("tcpdump -ni eth0 udp") == ""
    assert node1.sh("tcpdump -n -t -c 1 -i any icmp").startswith(
        "veth-web2 In  IP 10.1.15.2 > 10.1"
    )


#: A command, words of the refusal, words of the hint.
REFUSALS = [
    ("iptables -A INPT -j DROP", "No chain/target/match by that name", "Did you mean INPUT"),
    (
        "iptables -A POSTROUTING -j DROP",
        "No chain/target/match",
        "is in table nat: iptables -t nat",
    ),
    ("iptables -L GUARD -t nat", "No chain/target/match", "table filter: iptables -t filter"),
    ("iptables -A GUARD -j DORP", "Chain 'DORP' does not exist", "Did you mean DROP"),
    ("iptables -D GUARD -j ACCEPT", "Bad rule", "nearest"),
    ("iptables -A GUARD -m time", "'time' is not modelled", "comment"),
    (
        "iptables -t nat -A PREROUTING -j DNAT --to-destination 10.1.15.3:80",
        "Need TCP, UDP, SCTP or DCCP with port specification",
        "-p tcp",
    ),
    ("iptables -6 -L", "no IPv6", ""),
    ("iptables -t nat -A PREROUTING -j MASQUERADE", "RULE_APPEND failed", "POSTROUTING"),
    ("iptables -A INPUT -o eth0 -j DROP", "Can't use -o with INPUT", "not known yet"),
    ("iptables-save -f x", "'-f' is not modelled", "-t TABLE"),
    ("iptables-restore", "nothing to read", "stdin"),
    ("nft monitor trace", "'nft monitor trace' is not modelled", "nft list ruleset"),
    ("nft flush chain ip filter GUARD", "managed by iptables-nft", "with iptables"),
    ("nft list table ip nope", "No such file or directory", "filter"),
    ("conntrack -E", "'conntrack -E' is not modelled", "-L"),
    ("conntrack", "Usage", "-L"),
    ("conntrack -L --dport 80", "unknown option", "-p tcp"),
    ("ping web1", "without -c", "ping -c 3"),
    ("ping -c 1 web1", "Name or service not known", "web1 is 10.1.15.3"),
    ("ping -c 1 -f 10.1.15.3", "'-f' is not modelled", "-c N"),
    ("ping -c 0 10.1.15.3", "out of range", ""),
    ("ping", "Destination address required", ""),
    ("traceroute", "Usage", "-n"),
    ("traceroute -A 10.1.15.3", "'-A' is not modelled", "-m HOPS"),
    ("curl", "try 'curl --help'", "http://HOST"),
    ("curl https://10.1.15.3/", "https is not modelled", "http://"),
    ("curl -X POST http://10.1.15.3/", "'-X' is not modelled", "-m SECONDS"),
    ("tcpdump", "which device", "-i DEV"),
    ("tcpdump -i eth7", "eth7: No such device exists", "eth0"),
    ("tcpdump -i eth0 -w file", "'-w' is not modelled", "-n"),
    ("tcpdump -i eth0 portrange 1-2", "syntax error", "port N"),
]


@pytest.mark.parametrize(("command", "says", "hint"), REFUSALS, ids=[r[0] for r in REFUSALS])
def test_refusals(command, says, hint):
    node1 = Cluster.example()["node1"]
    node1.sh(RULES)
    before = node1.sh("iptables-save")
    with pytest.raises(BadCommand) as caught:
        node1.sh(command)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert node1.sh("iptables-save") == before
