"""How rules are listed: each row is what iptables 1.8.9 and nft 1.0.6 themselves printed for it."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.tools import run
from k8snetlib.linux.tools.ping import _ms
from k8snetlib.linux.tools.services import service_name, service_port

#: A rule, how ``iptables -nvL`` ends its line, how ``nft list`` puts it (None: not modelled).
LISTED = [
    (
        "-p tcp --tcp-flags SYN,ACK SYN -j DROP",
        "tcp flags:0x12/0x02",
        "tcp flags syn / syn,ack counter packets 0 bytes 0 drop",
    ),
    ("-p tcp ! --tcp-flags SYN,ACK SYN -j DROP", "tcp flags:!0x12/0x02", None),
    (
        "-m mark --mark 5 -j DROP",
        "mark match 0x5",
        "meta mark 0x00000005 counter packets 0 bytes 0 drop",
    ),
    (
        "-m mark --mark 4/6 -j DROP",
        "mark match 0x4/0x6",
        "meta mark & 0x00000006 == 0x00000004 counter packets 0 bytes 0 drop",
    ),
    (
        "-m statistic --mode random --probability 0.5 -j DROP",
        "statistic mode random probability 0.50000000000",
        "meta random & 2147483647 < 1073741824 counter packets 0 bytes 0 drop",
    ),
    (
        "-m statistic --mode nth --every 3 --packet 1 -j DROP",
        "statistic mode nth every 3 packet 1",
        "numgen inc mod 3 1 counter packets 0 bytes 0 drop",
    ),
    ("-j MARK --or-mark 4", "MARK or 0x4", "counter packets 0 bytes 0 meta mark set mark or 0x4"),
    ("-j MARK --set-mark 5", "MARK set 0x5", "counter packets 0 bytes 0 meta mark set 0x5"),
    (
        "-j MARK --set-xmark 4/6",
        "MARK xset 0x4/0x6",
        "counter packets 0 bytes 0 meta mark set mark and 0xfffffff9 xor 0x4",
    ),
    (
        "-m conntrack --ctstate NEW -j DROP",
        "ctstate NEW",
        "ct state new counter packets 0 bytes 0 drop",
    ),
    (
        "-m conntrack --ctstatus ASSURED -j DROP",
        "ctstatus ASSURED",
        "ct status assured counter packets 0 bytes 0 drop",
    ),
    ("-m conntrack --ctstate NEW --ctstatus ASSURED -j DROP", "ctstate NEW ctstatus ASSURED", None),
    (
        "-m addrtype --dst-type LOCAL -j DROP",
        "ADDRTYPE match dst-type LOCAL",
        "fib daddr type local counter packets 0 bytes 0 drop",
    ),
    (
        "-m addrtype --dst-type LOCAL,BROADCAST -j DROP",
        "ADDRTYPE match dst-type LOCAL,BROADCAST",
        None,
    ),
    (
        "-p tcp -j REJECT --reject-with tcp-reset",
        "reject-with tcp-reset",
        "meta l4proto tcp counter packets 0 bytes 0 reject with tcp reset",
    ),
    ("-j REJECT", "reject-with icmp-port-unreachable", "counter packets 0 bytes 0 reject"),
    ("-j LOG", "LOG flags 0 level 4", "counter packets 0 bytes 0 log"),
    ("-j LOG --log-level 5", "LOG flags 0 level 5", "counter packets 0 bytes 0 log level notice"),
    ("-j LOG --log-level 3", "LOG flags 0 level 3", "counter packets 0 bytes 0 log level err"),
]


@pytest.mark.parametrize(("rule", "listed", "nft"), LISTED, ids=[row[0] for row in LISTED])
def test_a_rule_is_listed_as_the_real_tools_list_it(
    rule: str, listed: str, nft: str | None
) -> None:
    router = Cluster.example()["router"]
    router.sh(f"iptables -N F; iptables -A F {rule}")
    assert router.sh("iptables -nvL F").splitlines()[2].endswith(f" {listed}")
    if nft is not None:
        assert router.sh("nft list chain ip filter F").splitlines()[2] == f"\t\t{nft}"
        return
    with pytest.raises(BadCommand, match="is not modelled"):
        router.sh("nft list chain ip filter F")


@pytest.mark.parametrize(
    ("rule", "nft"),
    [
        ("POSTROUTING -p tcp -j MASQUERADE --to-ports 5-6", "masquerade to :5-6"),
        ("POSTROUTING -p tcp -j SNAT --to-source 10.1.1.1:5-6", "snat to 10.1.1.1:5-6"),
        ("PREROUTING -p tcp -j REDIRECT --to-ports 7", "redirect to :7"),
    ],
)
def test_a_translation_is_listed_as_nft_lists_it(rule: str, nft: str) -> None:
    router = Cluster.example()["router"]
    router.sh(f"iptables -t nat -A {rule}")
    line = f"\t\tmeta l4proto tcp counter packets 0 bytes 0 {nft}"
    assert line in router.sh("nft list table ip nat").splitlines()


@pytest.mark.parametrize(
    ("command", "says", "hint"),
    [
        ("conntrack -L -p ospf", "`ospf' unsupported protocol", "tcp, udp or icmp."),
        ("ip link sow", 'Command "sow" is unknown', "Did you mean show?"),
        ("iptables -X INPUT", "", ""),
        (
            "iptables -N A; iptables -A A -j DROP; iptables -X A",
            "",
            "Flush it first: iptables -F A.",
        ),
        (
            "iptables -N A; iptables -A FORWARD -j A; iptables -X A",
            "",
            "FORWARD still jumps there.",
        ),
        ("traceroute -m 0 10.1.15.1", "", ""),
        ("traceroute -f 0 10.1.15.1", "", ""),
        ("ping -W 3601 -c 1 10.1.15.1", "", ""),
        *(
            (
                f"iptables -t nat {words}",
                "the use of DROP is therefore inhibited",
                "the filter table",
            )
            for words in (
                "-P OUTPUT DROP",
                "-A OUTPUT -j DROP",
                "-I OUTPUT -j DROP",
                "-C OUTPUT -j DROP",
            )
        ),
        *(
            (f"ip neigh {words}", "Device and destination are required arguments.", "dev DEV")
            for words in (
                "add 192.168.66.77",
                "add dev lo",
                "del 192.168.66.1",
                "change dev lo",
            )
        ),
        ("sysctl -w net.ipv4.icmp_echo_ignore_all=2", "Invalid argument", "0 to 1"),
        *(
            (f"iptables {words}", f'option "{words}" requires an argument', "")
            for words in ("-A", "-C", "-D", "-E", "-I", "-N", "-P", "-R")
        ),
        ("iptables -E A", "-E requires old-chain-name and new-chain-name", ""),
        ("iptables -P INPUT", "-P requires a chain and a policy", ""),
        ("iptables -R INPUT", "-R requires a rule number", ""),
        *(
            (f"iptables {words}", f"Bad argument `{words.split()[-1]}'", "")
            for words in (
                "-L INPUT 1 2",
                "-S INPUT 1 2",
                "-Z INPUT 1 2",
                "-F INPUT 1",
                "-X A B",
                "-N A B",
                "-E A B C",
                "-P INPUT DROP X",
                "-A INPUT 1",
                "-C INPUT 1",
            )
        ),
    ],
)
def test_what_the_tools_refuse(command: str, says: str, hint: str) -> None:
    with pytest.raises(BadCommand) as caught:
        Cluster.example()["router"].sh(command)
    assert says in caught.value.message
    assert hint in caught.value.hint


def _down(first: int, last: int) -> list[str]:
    """A staircase of chains, each with a jump to the next."""
    steps = range(first, last)
    return [*(f"-N S{n}" for n in range(first, last + 1)), *(f"-A S{n} -j S{n + 1}" for n in steps)]


ROUND = ["-N A", "-N B", "-A A -j B", "-A B -j A"]
#: Commands one after the other, and what iptables 1.8.9 on Linux 6.18 says to the last one.
LINKS = {
    "chains that lead round in a loop, and nobody enters": (ROUND, ""),
    "a chain that jumps to itself": (["-N A", "-A A -p tcp -j A"], ""),
    "a base chain that would enter a loop": ([*ROUND, "-A INPUT -j B"], "APPEND INPUT"),
    "... by goto": ([*ROUND, "-A FORWARD -g A"], "APPEND FORWARD"),
    "... behind an ACCEPT": ([*ROUND, "-A OUTPUT -j ACCEPT", "-A OUTPUT -j A"], "APPEND OUTPUT"),
    "a loop that closes behind a base chain": (
        ["-N A", "-N B", "-A INPUT -j A", "-A A -j B", "-A B -p udp", "-I B 1 -j A"], "INSERT B"
    ),
    "... by a rule in place of another": (
        ["-N A", "-A INPUT -j A", "-A A -p udp", "-R A 1 -j A"], "REPLACE A"
    ),
    "another rule, beside a loop that nobody enters": ([*ROUND, "-A INPUT -p tcp"], ""),
    "a chain twice is no loop": (["-N A", "-N B", "-A A -j B", "-A INPUT -j A", "-A INPUT -j B"], ""),
    "fifteen chains below a base chain": ([*_down(1, 15), "-A INPUT -j S1"], ""),
    "sixteen": ([*_down(0, 15), "-A INPUT -j S0"], "APPEND INPUT"),
    "sixteen, by goto at the end": (
        [*_down(1, 15), "-N X", "-A INPUT -j S1", "-A S15 -g X"], "APPEND S15"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("commands", "refused"), LINKS.values(), ids=LINKS)
def test_how_far_jumps_may_lead(commands: list[str], refused: str) -> None:
    """tests/kernel/test_save_real.py types the same in a real namespace."""
    router = Cluster.example()["router"]
    for command in commands[:-1]:
        router.sh(f"iptables {command}")
    before = router.sh("iptables-save")
    if not refused:
        assert router.sh(f"iptables {commands[-1]}") == ""
        return
    with pytest.raises(BadCommand) as caught:
        router.sh(f"iptables {commands[-1]}")
    verb, chain = refused.split()
    said = f"RULE_{verb} failed (Too many links): rule in chain {chain}"
    assert caught.value.message == f"iptables v1.8.9 (nf_tables):  {said}"
    assert "do they go round" in caught.value.hint.lower()
    assert router.sh("iptables-save") == before


_JUMP = "-t nat -A PREROUTING -j A"
_MASQ = "-t nat -A A -j MASQUERADE"
BEHIND = {
    "the target behind the jump": (["-t nat -N A", _JUMP, _MASQ], "APPEND A"),
    "the jump to the target": (["-t nat -N A", _MASQ, _JUMP], "APPEND PREROUTING"),
    "two jumps": (
        ["-t nat -N A", "-t nat -N B", "-t nat -A A -j B", _JUMP, "-t nat -I B -j MASQUERADE"],
        "INSERT B",
    ),
    "a destination, too late": (
        ["-t nat -N A", "-t nat -A POSTROUTING -j A",
         "-t nat -A A -p tcp -j DNAT --to-destination 10.0.0.1"],
        "APPEND A",
    ),
    "where it works": (["-t nat -N A", "-t nat -A POSTROUTING -j A", _MASQ], ""),
    "where nobody comes": (["-t nat -N A", _MASQ], ""),
}  # fmt: skip


@pytest.mark.parametrize(("commands", "refused"), BEHIND.values(), ids=BEHIND)
def test_what_a_jump_may_not_lead_to(commands: list[str], refused: str) -> None:
    """tests/kernel/test_save_real.py types the same in a real namespace."""
    router = Cluster.example()["router"]
    for command in commands[:-1]:
        router.sh(f"iptables {command}")
    before = router.sh("iptables-save")
    if not refused:
        assert router.sh(f"iptables {commands[-1]}") == ""
        return
    with pytest.raises(BadCommand) as caught:
        router.sh(f"iptables {commands[-1]}")
    said = "RULE_{} failed (Invalid argument): rule in chain {}".format(*refused.split())
    assert caught.value.message == f"iptables v1.8.9 (nf_tables):  {said}"
    assert "works in table nat" in caught.value.hint
    assert router.sh("iptables-save") == before


def test_a_misplaced_target_is_not_restored() -> None:
    router = Cluster.example()["router"]
    text = "*nat\n:A - [0:0]\n-A A -j MASQUERADE\n-A PREROUTING -j A\nCOMMIT\n"
    with pytest.raises(BadCommand, match=r"RULE_APPEND failed \(Invalid argument\)"):
        run(router, "iptables-restore", stdin=text)
    assert run(router, "iptables-restore", stdin=text.replace("PREROUTING", "POSTROUTING")) == ""


def test_a_loop_is_restored_only_if_nobody_enters_it() -> None:
    router = Cluster.example()["router"]
    text = "*filter\n:A - [0:0]\n-A A -j A\n-A INPUT -j A\nCOMMIT\n"
    with pytest.raises(BadCommand, match=r"RULE_APPEND failed \(Too many links\)"):
        run(router, "iptables-restore", stdin=text)
    assert "-N A" not in router.sh("iptables -S")
    assert run(router, "iptables-restore", stdin=text.replace("-A INPUT -j A\n", "")) == ""
    assert "-A A -j A" in router.sh("iptables -S")


def test_a_switch_that_is_on_or_off() -> None:
    router = Cluster.example()["router"]
    for value in (1, 0):
        said = router.sh(f"sysctl -w net.ipv4.icmp_echo_ignore_all={value}")
        assert said == f"net.ipv4.icmp_echo_ignore_all = {value}"


ROUTES = {
    "default": "default via 192.168.66.1 dev eth0",
    "overlay": "10.1.0.0/16 dev flannel0 scope link",
    "pods": "10.1.15.0/24 dev docker0 proto kernel scope link src 10.1.15.1",
    "link": "192.168.66.0/24 dev eth0 proto kernel scope link src 192.168.66.11",
}


@pytest.mark.parametrize(
    ("which", "routes"),
    [
        ("", "default overlay pods link"),
        ("10.1.0.0/16", "overlay"),
        ("root 10.1.0.0/16", "overlay pods"),
        ("root 10.1.15.0/24", "pods"),
        ("root 10.1.15.0/32", ""),
        ("root 0.0.0.0/0", "default overlay pods link"),
        ("match 10.1.15.2", "default overlay pods"),
        ("match 10.1.0.0/16", "default overlay"),
    ],
)
def test_routes_inside_a_prefix_and_around_it(which: str, routes: str) -> None:
    """ip-route(8): root takes routes not shorter than the prefix, match those not longer."""
    shown = Cluster.example()["node1"].sh(f"ip route show {which}").splitlines()
    assert shown == [ROUTES[name] for name in routes.split()]


@pytest.mark.parametrize(
    ("options", "ports"),
    [
        ("", [33434, 33435, 33436]),
        ("-U", [53, 53, 53]),
        ("-T", [80, 80, 80]),
        ("-p 9", [9, 10, 11]),
    ],
)
def test_whom_traceroute_s_probes_are_for(options: str, ports: list[int]) -> None:
    """traceroute(8): without -U every probe has a port of its own."""
    cluster = Cluster.example()
    cluster["web2"].sh(f"traceroute -n -m 1 {options} 10.1.20.3")
    packets = [t.frames[0].packet for t in cluster.network.last if t.frames[0].netns == "web2"]
    assert [p.transport.dport for p in packets if p.arp is None] == ports  # type: ignore[union-attr]


def test_a_device_s_routes_are_flushed() -> None:
    node1 = Cluster.example()["node1"]
    assert node1.sh("ip route flush dev flannel0") == ""
    shown = node1.sh("ip route").splitlines()
    assert shown == [ROUTES[name] for name in ("default", "pods", "link")]


def test_services_have_the_names_of_etc_services() -> None:
    names = {
        "discard": 9, "ssh": 22, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "http": 80,
        "ntp": 123, "bgp": 179, "https": 443, "http-alt": 8080, "nonsense": None,
    }  # fmt: skip
    assert {name: service_port(name) for name in names} == names
    assert service_name(53, "udp") == service_name(53, "tcp") == "domain"
    assert (service_name(22, "tcp"), service_name(22, "udp")) == ("ssh", "22")


def test_traceroute_keeps_sixteen_probes_under_way() -> None:
    """The sixteenth has left before the fifteenth is answered; its TTL is one more."""
    cluster = Cluster.example()
    cluster["web2"].sh("traceroute -n 10.1.20.3")
    sent = [t.frames[0].packet for t in cluster.network.last if t.label.startswith("UDP")]
    assert [p.ip.ttl for p in sent] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6]


@pytest.mark.parametrize(
    ("took", "text"), [(0.0, "0.000"), (0.5, "0.500"), (1, "1.00"), (9.5, "9.50"), (10, "10.0"),
                       (99.5, "99.5"), (100, "100"), (1000, "1000")],
)  # fmt: skip
def test_how_ping_prints_a_time(took: float, text: str) -> None:
    """iputils' gather_statistics()."""
    assert _ms(took) == text


def test_zeroing_one_rule_s_counters() -> None:
    cluster = Cluster.example()
    router = cluster["router"]
    router.sh("iptables -A INPUT -p icmp; iptables -A INPUT -p icmp")
    assert cluster.ping("client", "router").ok
    router.sh("iptables -Z INPUT 2")
    assert router.sh("iptables -Z INPUT 4; iptables -Z INPUT 99") == "", (
        "as the real one: no complaint"
    )
    assert [line.split()[-2:] for line in router.sh("iptables -vS INPUT").splitlines()[1:]] == [
        ["1", "84"], ["0", "0"],
    ]  # fmt: skip


def test_connections_are_found_by_their_status() -> None:
    cluster = Cluster.example()
    node1 = cluster["node1"]
    node1.sh("iptables -t nat -A POSTROUTING -s 10.1.15.0/24 -o eth0 -j MASQUERADE")
    assert cluster.ping("web2", "client").ok
    assert "type=8" in node1.sh("conntrack -L -p icmp -u SEEN_REPLY")
    assert node1.sh("conntrack -L -p icmp -u UNREPLIED") == ""


DUMPS = [
    ("web2", {"proto": "udp", "port": 99, "sport": 4000}, "tcpdump -n -i eth0 icmp",
     "IP 10.1.20.3 > 10.1.15.2: ICMP 10.1.20.3 udp port 99 unreachable, length 41"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 tcp",
     "options [mss 1432,sackOK,TS val 0 ecr 0,nop,wscale 7], length 0"),
    ("web2", {"proto": "icmp", "ttl": 1}, "tcpdump -n -i eth0 icmp", "ICMP time exceeded in-transit, length 92"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 tcp", "sackOK,TS val"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 tcp", ": HTTP: GET / HTTP/1.1"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 port 8080", "10.1.15.2.40000 > 10.1.20.3.8080: Flags [S]"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 src port 8080", "10.1.20.3.8080 > 10.1.15.2.40000: Flags [S.]"),
    ("web2", {"port": 8080}, "tcpdump -e -n -i eth0 tcp", "02:42:0a:01:0f:02 > 02:42:0a:01:0f:01"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 host 10.1.20.3", "IP 10.1.15.2.40000 > 10.1.20.3.8080: Flags"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 dst host 10.1.15.2", "IP 10.1.20.3.8080 > 10.1.15.2.40000: Flags"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 src 10.1.20.3", "IP 10.1.20.3.8080 > 10.1.15.2.40000: Flags"),
    ("web2", {"port": 8080}, "tcpdump -n -i eth0 not host 10.1.20.3", "ARP, Reply 10.1.15.1 is-at"),
    ("node1", {"port": 8080}, "tcpdump -n -i flannel0", "IP 10.1.15.2.40000 > 10.1.20.3.8080: Flags [S]"),
]  # fmt: skip


@pytest.mark.parametrize(("ns", "options", "command", "shows"), DUMPS, ids=[d[3] for d in DUMPS])
def test_tcpdump_shows(ns: str, options: dict[str, object], command: str, shows: str) -> None:
    cluster = Cluster.example()
    if "proto" in options:
        cluster.send("web2", "backend", **options)  # type: ignore[arg-type]
    else:
        cluster.connect("web2", "backend", 8080, sport=40000)
    lines = cluster[ns].sh(command).splitlines()
    assert any(shows in line for line in lines), lines
    for words, others in {
        "src port": "8080: Flags", "dst host": "> 10.1.20.3", "src 10": "> 10.1.20.3", "not host": "20.3",
    }.items():  # fmt: skip
        assert words not in command or not any(others in line for line in lines)


def test_a_segment_without_flags_says_none() -> None:
    from k8snetlib.linux.tools.dumped import Dumper
    from k8snetlib.packet import Icmp, IPv4, Packet, Slice, Tcp, Udp

    dumper = Dumper(numeric=True, link=False)
    line = dumper.text(Packet(IPv4("10.1.15.2", "10.1.20.3", 6), Tcp(1, 2, 0)))
    assert "Flags [none]" in line
    quoted = Slice(Packet(IPv4("10.1.20.3", "10.1.15.2", 17), Udp(1, 2)), 0, 28)
    late = dumper.text(Packet(IPv4("10.1.15.2", "10.1.20.3", 1), Icmp(11, 1), payload=quoted))
    assert "ip reassembly time exceeded" in late
