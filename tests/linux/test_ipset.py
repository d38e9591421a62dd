"""ipsets: what is in a set, as a rule asks; and the command that lists and changes them."""

from __future__ import annotations

import pytest

from k8snetlib.errors import BadCommand
from k8snetlib.linux.ipset import IpSet, references
from k8snetlib.linux.netfilter.probe import Probe
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netns import Netns
from k8snetlib.packet import PROTO_ICMP, PROTO_TCP, PROTO_UDP, Icmp, IPv4, Packet, Tcp, Udp

TCP = Packet(IPv4("10.1.15.2", "10.96.0.10", PROTO_TCP), Tcp(40000, 80, 2))
UDP = Packet(IPv4("10.1.15.2", "10.96.0.53", PROTO_UDP), Udp(40000, 53))
PING = Packet(IPv4("10.1.15.2", "10.96.0.10", PROTO_ICMP), Icmp(8))
HAIRPIN = Packet(IPv4("10.1.20.3", "10.1.20.3", PROTO_TCP), Tcp(40000, 8080, 2))
LATER = Packet(IPv4("10.1.15.2", "10.96.0.10", PROTO_TCP, offset=1480), payload=b"later")

#: type, one entry, the rule's ends, the packet, is it in the set
IN_THE_SET = {
    "cluster ip": ("hash:ip,port", "10.96.0.10,tcp:80", "dst,dst", TCP, True),
    "another port": ("hash:ip,port", "10.96.0.10,tcp:81", "dst,dst", TCP, False),
    "another protocol": ("hash:ip,port", "10.96.0.10,udp:80", "dst,dst", TCP, False),
    "udp": ("hash:ip,port", "10.96.0.53,udp:53", "dst,dst", UDP, True),
    "source address, destination port": ("hash:ip,port", "10.1.15.2,tcp:80", "src,dst", TCP, True),
    "source port": ("hash:ip,port", "10.1.15.2,tcp:40000", "src,src", TCP, True),
    "too few ends": ("hash:ip,port", "10.96.0.10,tcp:80", "dst", TCP, False),
    "more ends than parts": ("hash:ip", "10.96.0.10", "dst,dst", TCP, True),
    "a ping has no such port": ("hash:ip,port", "10.96.0.10,tcp:80", "dst,dst", PING, False),
    "a ping's type is its port": ("hash:ip,port", "10.96.0.10,icmp:2048", "dst,dst", PING, True),
    "a later fragment has no port": ("hash:ip,port", "10.96.0.10,tcp:80", "dst,dst", LATER, False),
    "address alone": ("hash:ip", "10.96.0.10", "dst", PING, True),
    "the source's address": ("hash:ip", "10.96.0.10", "src", TCP, False),
    "hairpin": ("hash:ip,port,ip", "10.1.20.3,tcp:8080,10.1.20.3", "dst,dst,src", HAIRPIN, True),
    "hairpin from elsewhere": (
        "hash:ip,port,ip", "10.96.0.10,tcp:80,10.1.20.3", "dst,dst,src", TCP, False,
    ),
    "source range": (
        "hash:ip,port,net", "10.96.0.10,tcp:80,10.1.0.0/16", "dst,dst,src", TCP, True,
    ),
    "out of the source range": (
        "hash:ip,port,net", "10.96.0.10,tcp:80,10.2.0.0/16", "dst,dst,src", TCP, False,
    ),
    "one source": (
        "hash:ip,port,net", "10.96.0.10,tcp:80,10.1.15.2", "dst,dst,src", TCP, True,
    ),
    "source range of another port": (
        "hash:ip,port,net", "10.96.0.10,tcp:8,10.1.0.0/16", "dst,dst,src", TCP, False,
    ),
    "too few ends for a source range": (
        "hash:ip,port,net",
        "10.96.0.10,tcp:80,10.1.0.0/16",
        "dst,dst",
        TCP,
        False,
    ),
    "node port": ("bitmap:port", "80", "dst", TCP, True),
    "node port, any protocol": ("bitmap:port", "53", "dst", UDP, True),
    "node port, source": ("bitmap:port", "80", "src", TCP, False),
    "node port and a ping": ("bitmap:port", "2048", "dst", PING, False),
    "network": ("hash:net", "10.96.0.0/16", "dst", TCP, True),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "entry", "ends", "packet", "expected"), IN_THE_SET.values(), ids=list(IN_THE_SET)
)
def test_membership(kind: str, entry: str, ends: str, packet: Packet, expected: bool) -> None:
    """As a rule with --match-set asks; and the other way round with ``!``."""
    ns = Netns("node1")
    ns.ipsets["S"] = IpSet("S", kind, frozenset({entry}))
    probe = Probe(ns, packet, "eth0", "", 0, 0.0, lambda: 0.0)
    for text, wanted in (
        (f"--match-set S {ends}", expected),
        (f"! --match-set S {ends}", not expected),
    ):
        (test,) = parse_rule(f"-m set {text} -j ACCEPT").compile()
        assert test(probe) is wanted, text


def test_a_rule_about_a_set_that_is_not_there_matches_nothing() -> None:
    """The kernel would not even take the rule."""
    (test,) = parse_rule("-m set --match-set NOPE dst -j ACCEPT").compile()
    assert not test(Probe(Netns("node1"), TCP, "", "", 0, 0.0, lambda: 0.0))


def test_a_copy_has_its_own_sets() -> None:
    """A set is a value; a change in a copy is not seen here."""
    ns = Netns("node1")
    ns.sh("ipset create S hash:ip; ipset add S 10.1.1.1")
    copy = ns.clone()
    copy.sh("ipset add S 10.1.1.2")
    assert (len(ns.ipsets["S"].entries), len(copy.ipsets["S"].entries)) == (1, 2)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def ns() -> Netns:
    ns = Netns("node1")
    ns.sh("ipset create PORTS bitmap:port range 0-65535; ipset add PORTS 30080")
    ns.sh("ipset create VIPS hash:ip,port; ipset add VIPS 10.96.0.10,tcp:80")
    ns.sh("ipset add VIPS 10.96.0.9,udp:53")
    return ns


def test_list(ns: Netns) -> None:
    """Members come in order; a rule counts as a reference."""
    ns.sh("iptables -A INPUT -m set --match-set VIPS dst,dst -j ACCEPT")
    assert references(ns, "VIPS") == 1
    lines = ns.sh("ipset list VIPS").splitlines()
    assert lines[:2] == ["Name: VIPS", "Type: hash:ip,port"]
    assert lines[5:] == ["References: 1", "Number of entries: 2", "Members:",
                         "10.96.0.9,udp:53", "10.96.0.10,tcp:80"]  # fmt: skip
    assert ns.sh("ipset list -n") == "PORTS\nVIPS"
    assert "Members" not in ns.sh("ipset list -t PORTS")
    assert ns.sh("ipset list").count("Name: ") == 2


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("ipset add PORTS tcp:80", "80 30080"),
        ("ipset add PORTS 30080 -exist", "30080"),
        ("ipset del PORTS 30080", ""),
        ("ipset flush PORTS", ""),
        ("ipset create PORTS bitmap:port range 0-65535 -exist", "30080"),
    ],
)
def test_changes(ns: Netns, command: str, after: str) -> None:
    """What is in the bitmap then."""
    ns.sh(command)
    members = ns.sh("ipset list PORTS").partition("Members:")[2].split()
    assert " ".join(members) == after


REFUSALS = {
    "ipset": "No command specified.",
    "ipset frobnicate": "No command specified: unknown argument frobnicate",
    "ipset list NOPE": "The set with the given name does not exist",
    "ipset list PORTS VIPS": "Unknown argument VIPS",
    "ipset add PORTS 30080": "Element cannot be added to the set: it's already added",
    "ipset del PORTS 7": "Element cannot be deleted from the set: it's not added",
    "ipset add VIPS 10.96.0.10": "Syntax error: Second element is missing from 10.96.0.10.",
    "ipset create Q foo:bar": "Syntax error: typename 'foo:bar' is unknown",
    "ipset create PORTS bitmap:port range 0-9": "Set cannot be created: set with the same name",
    "ipset test PORTS 7": "7 is NOT in set PORTS.",
    "ipset destroy VIPS": "Set cannot be destroyed: it is in use by a kernel component",
    "ipset add PORTS 70000": "Syntax error: '70000' is out of range 0-65535",
    "ipset add PORTS many": "Syntax error: 'many' is invalid as number",
    "ipset add VIPS": "Missing second mandatory argument to command add",
    "ipset create": "Missing mandatory argument to command create",
    "ipset create Q": "Missing second mandatory argument to command create",
    "ipset add VIPS nowhere,tcp:80": "Syntax error: cannot parse nowhere",
    "ipset add VIPS 10.96.0.1,quic:80": "Syntax error: cannot parse 'quic' as a protocol",
}


@pytest.mark.parametrize("command", REFUSALS, ids=lambda c: c)
def test_refusals(ns: Netns, command: str) -> None:
    """In the real tool's words."""
    ns.sh("iptables -A INPUT -m set ! --match-set VIPS dst,dst -j DROP")
    with pytest.raises(BadCommand) as refused:
        ns.sh(command)
    assert REFUSALS[command] in refused.value.message


def test_destroy_when_no_rule_asks_any_more(ns: Netns) -> None:
    """First the rule goes, then the set can."""
    ns.sh("iptables -A INPUT -m set --match-set VIPS dst,dst -j DROP; iptables -F INPUT")
    ns.sh("ipset destroy VIPS")
    assert list(ns.ipsets) == ["PORTS"]
    assert ns.sh("ipset test PORTS 30080") == "Warning: 30080 is in set PORTS."
    assert ns.sh("ipset save") == "create PORTS bitmap:port range 0-65535\nadd PORTS 30080"
