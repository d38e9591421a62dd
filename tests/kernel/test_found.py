"""What the random cases and the live lab found: where the model was wrong, and what the kernel does.

Each row is a ruleset of the node ``n`` in the small network of ``random_cases`` and the packets that
showed the difference, shrunk; below stands what Linux 6.18 with iptables 1.8.9 (nf_tables) was seen to
do. They need no root: the kernel's behaviour is written down here.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import pytest

from k8snetlib.lab import rules
from k8snetlib.linux.fragment import split
from k8snetlib.linux.netfilter import save
from k8snetlib.linux.netfilter.syntax import RuleError, parse_rule
from k8snetlib.packet import ACK, FIN, PSH, RST, SYN, Icmp, IPv4, Packet, Tcp, Udp, stack_of
from k8snetlib.trace import Trace
from tests.kernel.random_cases import (
    HOOKS,
    N1,
    N2,
    NOWHERE,
    OPEN,
    OPTIONS,
    VIRTUAL,
    A,
    B,
    C,
    Shot,
    network,
    shoot,
)

OWNERS = {A: "a", B: "b", C: "c", N1: "n", N2: "n"}


def shot(l4: Tcp | Udp | Icmp, src: str, dst: str, ttl: int = 64, payload: bytes = b"") -> Shot:
    proto = {Tcp: 6, Udp: 17, Icmp: 1}[type(l4)]
    return Shot(OWNERS[src], stack_of((IPv4(src, dst, proto, ttl, 7), l4), payload))


def tcp(
    flags: int, src: str, dst: str, ports: tuple[int, int] = (40000, 53), ttl: int = 64
) -> Shot:
    options = OPTIONS if flags & SYN else b""
    return shot(Tcp(*ports, flags, 1000, 2000 if flags & ACK else 0, 1000, options), src, dst, ttl)


def udp(src: str, dst: str, ports: tuple[int, int] = (40000, 53), ttl: int = 64) -> Shot:
    return shot(Udp(*ports), src, dst, ttl, b"%05d" % ports[1])


def ping(src: str, dst: str, ttl: int = 64) -> Shot:
    return shot(Icmp(8, 0, 7 << 16 | 1), src, dst, ttl, b"ping")


def pieces(src: str, dst: str, *sizes: int, df: bool = False) -> tuple[Shot, ...]:
    """A UDP datagram that its sender has cut already; ``sizes`` are the bytes behind the IP headers."""
    whole = stack_of((IPv4(src, dst, 17, 64, 7), Udp(40000, 53)), bytes(sum(sizes) - 8))
    found = []
    for packet in split(whole, 1500, accumulate(sizes[:-1])):
        head = packet.ip._replace(df=df)
        found.append(Shot(OWNERS[src], stack_of((head, *packet.headers[1:]), packet.payload)))
    return tuple(found)


class Row(NamedTuple):
    """Rules as ``TABLE CHAIN RULE`` (or ``TABLE CHAIN DROP``: a policy), packets, and what the kernel
    did: ``counts`` of the rules in their order; ``seen``: a capture line that was there; ``unseen``: a
    piece of one that was not; ``tracked``: all connections on ``n`` (None: not looked at)."""

    rules: tuple[str, ...]
    shots: tuple[Shot, ...]
    counts: tuple[int, ...] = ()
    seen: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    tracked: tuple[str, ...] | None = None


NAT_ON = "nat POSTROUTING -s 172.31.0.1 -j MASQUERADE"  # never matches; makes the kernel track
FOUND = {
    "a goto that falls off its chain ends at the base chain's policy": Row(
        ("filter OUTPUT DROP", "filter OUTPUT -p udp -g U", "filter U -p icmp -j ACCEPT"),
        (udp(N2, C),),
        (1, 0),
        unseen=("n:eth0 out",),
    ),
    "RETURN in a chain entered by goto: the base chain's policy too": Row(
        ("filter OUTPUT DROP", "filter OUTPUT -g U", "filter U -j RETURN"),
        (udp(N2, C),),
        (1, 1),
        unseen=("n:eth0 out",),
    ),
    "a TCP segment without flags is INVALID, and not translated": Row(
        ("nat PREROUTING -p tcp -j DNAT --to-destination 10.0.1.3",),
        (tcp(0, C, N2),),
        (0,),
        tracked=(),
    ),
    "SYN with FIN is INVALID": Row(
        ("filter FORWARD -m conntrack --ctstate INVALID", NAT_ON), (tcp(SYN | FIN, A, NOWHERE),), (1, 0)
    ),
    "a FIN opens no connection": Row(
        ("filter FORWARD -m conntrack --ctstate INVALID", NAT_ON), (tcp(FIN | ACK, A, NOWHERE),), (1, 0)
    ),
    "an ACK opens one (nf_conntrack_tcp_loose)": Row(
        ("filter FORWARD -m conntrack --ctstate NEW", NAT_ON), (tcp(ACK, A, NOWHERE),), (1, 0)
    ),
    "a SYN with FIN does not reach a listener": Row(
        (), (tcp(SYN | FIN, A, C, (40000, OPEN)),), unseen=(":8080>10.0.1.2:40000",)
    ),
    "a segment without flags gets no reset from a listener": Row(
        (), (tcp(0, A, C, (40000, OPEN)),), unseen=(":8080>10.0.1.2:40000",)
    ),
    "--ctstatus without a connection never matches, negated or not": Row(
        (
            "mangle POSTROUTING -m conntrack ! --ctstatus ASSURED",
            "mangle POSTROUTING -m conntrack --ctstatus ASSURED",
        ),
        (tcp(0, C, A),),
        (0, 0),
    ),
    "--ctstatus NONE is the empty mask: it never matches": Row(
        (
            "mangle FORWARD -m conntrack --ctstatus NONE",
            "mangle FORWARD -m conntrack ! --ctstatus NONE",
        ),
        (udp(C, NOWHERE),),
        (0, 1),
    ),
    "in the raw table every packet is INVALID": Row(
        (
            "raw PREROUTING -m conntrack --ctstate INVALID",
            "raw PREROUTING -m conntrack ! --ctstate INVALID",
        ),
        (udp(C, NOWHERE),),
        (1, 0),
    ),
    "nat rules that translate nothing are not even asked": Row(
        ("nat PREROUTING -j U", "nat U -j RETURN"), (udp(C, NOWHERE),), (0, 0), tracked=()
    ),
    "MASQUERADE on lo takes an address of the host, not 127.0.0.1": Row(
        ("nat POSTROUTING -j MASQUERADE",),
        (udp(N2, "127.0.0.1"),),
        (1,),
        ("n:lo in [zero>zero] 10.0.1.1:40000>127.0.0.1:53 ttl64 len33",),
    ),
    "a reset for a bridged frame leaves by its port, past all rules, untranslated": Row(
        (
            "nat PREROUTING -p tcp -j DNAT --to-destination 10.0.2.1:8080",
            "filter INPUT -p tcp -j REJECT --reject-with tcp-reset",
            "filter OUTPUT -p tcp",
        ),
        (tcp(SYN, B, VIRTUAL, (53, 80)),),
        (1, 1, 0),
        ("n:p-b out [n:br0>b:eth0] 10.0.2.1:8080>10.0.1.3:53 ttl64 DF",),
        ("n:br0 out",),
        (),
    ),
    "a rule's reset is RELATED, and confirms nothing": Row(
        (
            "filter FORWARD -p tcp -j REJECT --reject-with tcp-reset",
            "filter OUTPUT -m conntrack --ctstate RELATED",
            "filter OUTPUT -m conntrack --ctstate ESTABLISHED",
        ),
        (tcp(SYN, C, A),),
        (1, 1, 0),
        ("c:eth0 in [n:eth0>c:eth0] 10.0.1.2:53>10.0.2.2:40000 ttl64 DF",),
        tracked=(),
    ),
    "physdev knows the port of a packet that goes up to the host": Row(
        (
            "mangle INPUT -m physdev --physdev-in p-b",
            "mangle INPUT -m physdev ! --physdev-in p-b",
            "mangle INPUT -m physdev --physdev-is-bridged",
        ),
        (ping(B, N2),),
        (1, 0, 0),
    ),
    "physdev knows the port of a packet that is routed on": Row(
        (
            "filter FORWARD -m physdev --physdev-in p-a",
            "mangle POSTROUTING -m physdev --physdev-is-in",
        ),
        (udp(A, C, ttl=64),),
        (1, 1),
    ),
    "a reset that ends an unanswered connection has the status SEEN_REPLY": Row(
        ("filter FORWARD -p tcp -m conntrack --ctstatus SEEN_REPLY",),
        (tcp(ACK | PSH, A, C),),
        (1,),
        tracked=(),
    ),
    "a closed UDP port's error is tracked anew: raw OUTPUT sees no connection": Row(
        (
            "raw OUTPUT -m conntrack --ctstate RELATED",
            "filter OUTPUT -m conntrack --ctstate RELATED",
        ),
        (udp(C, N2),),
        (0, 1),
    ),
    "a rejected echo reply causes no error: one ICMP message at a time": Row(
        ("filter OUTPUT -d 10.0.2.0/24 -j REJECT",), (ping(C, N1),), (1,), unseen=("n:lo",)
    ),
    "an error about what came back over lo is sent again": Row(
        (
            "filter OUTPUT -s 10.0.1.1 -p tcp -j REJECT --reject-with tcp-reset",
            "filter INPUT -d 10.0.1.0/24 -p tcp -j REJECT",
        ),
        (tcp(SYN, N1, VIRTUAL),),
        (1, 1),
        ("n:eth0 out [n:eth0>c:eth0] 10.0.1.1>10.96.0.1 ttl64 len68",),
    ),
    "two connections to one translated port: the source gives way": Row(
        ("nat PREROUTING -p udp -j DNAT --to-destination 10.0.2.1:8080",),
        (udp(C, NOWHERE, (53, 80)), udp(C, N2, (53, 81))),
        (2,),
        ("n:eth0 out [n:eth0>c:eth0] 10.0.2.1>10.0.2.2 ttl64 len61",),
    ),
    "the same tuple both ways: the kernel finds the reply first": Row(
        (
            "nat PREROUTING -p udp -j DNAT --to-destination 10.0.1.2:40000",
            "nat POSTROUTING -p udp -j SNAT --to-source 10.0.1.1",
        ),
        (udp(A, N1, (40000, 40000)), udp(A, N1, (40000, 40000))),
        tracked=(
            "udp | 10.0.1.2:40000>10.0.1.1:40000 | 10.0.1.2:40000>10.0.1.1:40000",
        ),
    ),
    "a packet with another destination is DNAT, and all that answers it": Row(
        (
            "nat PREROUTING -p udp -d 10.96.0.1 -j DNAT --to-destination 10.0.1.2",
            "filter FORWARD -m conntrack --ctstate DNAT",
            "filter FORWARD -m conntrack ! --ctstate DNAT",
            "filter FORWARD -m conntrack --ctstate INVALID,DNAT --ctstatus CONFIRMED",
            "filter FORWARD -m conntrack --ctstate SNAT",
        ),
        (udp(C, VIRTUAL), udp(A, C, (53, 40000)), udp(C, A, (40001, 80))),
        (1, 4, 2, 3, 0),
    ),
    "a policy DROP in the nat table drops what opens a connection": Row(
        ("nat PREROUTING DROP", "nat PREROUTING -s 10.0.2.0/24 -j ACCEPT", NAT_ON),
        (udp(A, C), udp(C, A, (40001, 80))),
        (1, 0),
        ("n:br0 out [n:br0>a:eth0] 10.0.2.2:40001>10.0.1.2:80 ttl63 len33",),
        ("n:eth0 out [n:eth0>c:eth0] 10.0.1.2:40000",),
    ),
    "a packet is SNAT only when POSTROUTING has decided so: here the answer": Row(
        (
            "nat POSTROUTING -p udp -o eth0 -j SNAT --to-source 10.0.2.1",
            "filter FORWARD -m conntrack --ctstate SNAT",
            "filter FORWARD -m conntrack ! --ctstate SNAT,DNAT",
        ),
        (udp(A, C), udp(C, N2, (53, 40000))),
        (1, 3, 1),
    ),
    "a router that tracks lets a datagram leave in the pieces that it came in": Row(
        (NAT_ON,),
        pieces(C, A, 1376, 104, 800),
        seen=(
            "n:br0 out [n:br0>a:eth0] 10.0.2.2:40000>10.0.1.2:53 ttl63 len1396 frag 0+",
            "n:br0 out [n:br0>a:eth0] 10.0.2.2>10.0.1.2 ttl63 frag 1376+",
            "n:br0 out [n:br0>a:eth0] 10.0.2.2>10.0.1.2 ttl63 frag 1480",
        ),
    ),
    "... even if the whole would fit": Row(
        (NAT_ON,),
        pieces(C, A, 104, 1000),
        seen=(
            "n:br0 out [n:br0>a:eth0] 10.0.2.2:40000>10.0.1.2:53 ttl63 len124 frag 0+",
            "n:br0 out [n:br0>a:eth0] 10.0.2.2>10.0.1.2 ttl63 frag 104",
        ),
    ),
    "... and their don't-fragment bit stops nobody, and is lost": Row(
        (NAT_ON,),
        pieces(C, A, 1000, 1000, df=True),
        seen=(
            "n:eth0 in [c:eth0>n:eth0] 10.0.2.2>10.0.1.2 ttl64 DF frag 1000",
            "n:br0 out [n:br0>a:eth0] 10.0.2.2>10.0.1.2 ttl63 frag 1000",
        ),
    ),
    "a bridge that tracks, the same": Row(
        (NAT_ON,),
        pieces(A, B, 104, 1000),
        seen=(
            "n:p-b out [a:eth0>b:eth0] 10.0.1.2:40000>10.0.1.3:53 ttl64 len124 frag 0+",
            "n:p-b out [a:eth0>b:eth0] 10.0.1.2>10.0.1.3 ttl64 frag 104",
        ),
        unseen=("len1124",),
    ),
    "... if no piece is longer than its MTU": Row(
        (NAT_ON,),
        pieces(A, B, 1480, 800),
        seen=(
            "n:p-b out [a:eth0>b:eth0] 10.0.1.2:40000>10.0.1.3:53 ttl64 len1500 frag 0+",
            "n:p-b out [a:eth0>b:eth0] 10.0.1.2>10.0.1.3 ttl64 frag 1480",
        ),
        unseen=("len2300",),
    ),
    "what br_netfilter put together is routed as if it had never been cut, if it fits": Row(
        (NAT_ON,),
        pieces(A, C, 104, 1000),
        seen=("n:eth0 out [n:eth0>c:eth0] 10.0.1.2:40000>10.0.2.2:53 ttl63 len1124",),
    ),
    "... and in its old pieces if not": Row(
        (NAT_ON,),
        pieces(A, C, 104, 1376, 800, df=True),
        seen=("n:eth0 out [n:eth0>c:eth0] 10.0.1.2>10.0.2.2 ttl63 frag 104+",),
    ),
}  # fmt: skip


def text_of(row: Row) -> str:
    """The row's rules as iptables-restore takes them."""
    tables: dict[str, list[str]] = {}
    policies: dict[tuple[str, str], str] = {}
    for line in row.rules:
        table, chain, rest = line.split(" ", 2)
        body = tables.setdefault(table, [])
        if rest == "DROP":
            policies[table, chain] = rest
        else:
            policies.setdefault((table, chain), "-" if chain == "U" else "ACCEPT")
            body.append(f"-A {chain} {rest}")
    lines: list[str] = []
    for table, body in tables.items():
        chains = {(table, hook): "ACCEPT" for hook in HOOKS[table]} | policies
        heads = [f":{chain} {word} [0:0]" for (t, chain), word in chains.items() if t == table]
        lines += [f"*{table}", *heads, *body, "COMMIT"]
    return "\n".join(lines) + "\n"


def run(row: Row) -> tuple[list[Trace], list[int], list[str]]:
    """All walks, the counters in the order of the row's rules, the connections of ``n``."""
    model = network().clone()
    save.restore(model["n"].ruleset, text_of(row))
    traces = shoot(model, row.shots)
    counted = rules.counters(save.save(model["n"].ruleset, counters=True))
    by_place = [(c.table, c.rule.split()[1], c.packets) for c in counted]
    counts = []
    for line in row.rules:
        table, chain, rest = line.split(" ", 2)
        if rest != "DROP":
            at = next(i for i, (t, c, _) in enumerate(by_place) if (t, c) == (table, chain))
            counts.append(by_place.pop(at)[2])
    tracked = [str(c) for c in model["n"].conntrack.connections(model.now)]
    return traces, counts, tracked


@pytest.mark.parametrize("row", FOUND.values(), ids=FOUND)
def test_the_model_does_what_the_kernel_did(row: Row) -> None:
    traces, counts, tracked = run(row)
    story = "\n\n".join(map(str, traces))
    lines = [str(frame) for trace in traces for frame in trace.frames]
    if row.counts:
        assert tuple(counts) == row.counts, story
    for line in row.seen:
        assert line in lines, story
    for piece in row.unseen:
        assert not [line for line in lines if piece in line], story
    if row.tracked is not None:
        assert tuple(tracked) == row.tracked, story


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        ("-p 47 -j ACCEPT", "-p gre -j ACCEPT"),
        ("-p esp -j ACCEPT", "-p esp -j ACCEPT"),
        ("-p sctp -j ACCEPT", "-p sctp -j ACCEPT"),
        ("-p tcp --dport 0:65535 -j ACCEPT", "-p tcp -m tcp -j ACCEPT"),
    ],
)
def test_a_rule_prints_as_iptables_save_printed_it(rule: str, printed: str) -> None:
    assert str(parse_rule(rule)) == printed


def test_nth_needs_a_packet_number() -> None:
    """iptables: option "--every" also requires "--packet"."""
    with pytest.raises(RuleError, match="nth needs both"):
        parse_rule("-m statistic --mode nth --every 3 -j ACCEPT")


def test_the_fragments_of_a_datagram_share_the_tunnels_source_port() -> None:
    """ip_copy_metadata copies the flow's hash, so VXLAN sends all pieces from one port."""
    from k8snetlib.linux import vxlan
    from k8snetlib.packet import Ethernet

    link = Ethernet("02:00:00:00:00:01", "02:00:00:00:00:02")
    whole = Packet(IPv4(A, C, 17, id=7), Udp(40000, 4000), payload=bytes(3000))
    pieces = [stack_of((link, *p.headers), p.payload) for p in split(whole, 1450)]
    assert len(pieces) == 3
    assert len({vxlan.source_port(piece) for piece in pieces}) == 1


@pytest.mark.parametrize(
    ("l4", "back", "same"),
    [
        (Udp(40000, 53), Udp(53, 40000), True),
        (Icmp(8, 0, 7 << 16 | 1), Icmp(0, 0, 7 << 16 | 1), True),
        (Tcp(40000, 80, SYN), Tcp(80, 40000, SYN | ACK), False),
    ],
    ids=["UDP", "ICMP", "TCP"],
)
def test_both_directions_leave_the_tunnel_by_one_port_unless_sockets_hash(
    l4: Tcp | Udp | Icmp, back: Tcp | Udp | Icmp, same: bool
) -> None:
    """Linux hashes a flow the same way in both directions; a TCP socket draws a hash of its own."""
    from k8snetlib.linux import vxlan
    from k8snetlib.packet import Ethernet

    proto = {Tcp: 6, Udp: 17, Icmp: 1}[type(l4)]
    link = Ethernet("02:00:00:00:00:01", "02:00:00:00:00:02")
    there = vxlan.source_port(stack_of((link, IPv4(A, C, proto), l4), b""))
    again = vxlan.source_port(stack_of((link, IPv4(C, A, proto), back), b""))
    assert (there == again) is same


def test_rst_is_here_for_the_table() -> None:
    """A reset opens no connection either."""
    _, counts, _ = run(
        Row(("filter FORWARD -m conntrack --ctstate INVALID", NAT_ON), (tcp(RST, A, NOWHERE),))
    )
    assert counts == [1, 0]
