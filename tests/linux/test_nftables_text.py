"""nftables' text: what is read, how it is listed, and transactions, which are all or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8snetlib.linux.nftables.keys import NftError
from k8snetlib.linux.nftables.listing import list_table
from k8snetlib.linux.nftables.rule_reader import parse_rule
from k8snetlib.linux.nftables.ruleset import Nftables
from k8snetlib.linux.nftables.statements import show_time

#: What nft 1.0.6 listed of tables with everything in them that is modelled here.
RULESET = (Path(__file__).parent / "ruleset.nft").read_text()


def listed(nft: Nftables, now: float | None = 0.0) -> str:
    return "\n".join(list_table(table, now) for table in nft.tables.values()) + "\n"


# -- text -----------------------------------------------------------------------------------------


def test_what_nft_listed_is_read_and_listed_alike() -> None:
    nft = Nftables()
    nft.load(RULESET)
    assert listed(nft) == RULESET


#: How it may be written -> how nft lists it.
FORMS = {
    "mark and 0x4000 == 0 return": "meta mark & 0x00004000 == 0x00000000 return",
    "mark set mark or 0x4000": "meta mark set meta mark | 0x00004000",
    "meta mark set mark and 0xff xor 1": "meta mark set meta mark & 0x000000ff ^ 0x00000001",
    "ip saddr != { 203.0.113.0/25 } drop": "ip saddr != 203.0.113.0/25 drop",
    "ip saddr 10.1.2.3/32 accept": "ip saddr 10.1.2.3 accept",
    "ip daddr { 2.2.2.2 , 1.1.1.1 } drop": "ip daddr { 1.1.1.1, 2.2.2.2 } drop",
    "ct state { new } accept": "ct state new accept",
    "ct state related,established accept": "ct state established,related accept",
    "meta l4proto tcp tcp dport 80 accept": "tcp dport 80 accept",
    "meta l4proto 6 accept": "meta l4proto tcp accept",
    "iifname veth* accept": 'iifname "veth*" accept',
    "meta iifname eth0 accept": 'iifname "eth0" accept',
    "reject with icmp type port-unreachable": "reject",
    "numgen random mod 2 vmap { 1 : goto b , 0 : goto a }":
        "numgen random mod 2 vmap { 0 : goto a, 1 : goto b }",
    'drop comment "a b"': 'drop comment "a b"',
    "masquerade fully-random": "masquerade fully-random",
    "mark set mark and 0xf0 xor 0x11":
        "meta mark set meta mark & 0x000000f1 ^ 0x00000010 | 0x00000001",
    "ct state != related,established drop": "ct state != established | related drop",
    "tcp sport 1 ip daddr . th dport vmap @m": "tcp sport 1 ip daddr . tcp dport vmap @m",
    "meta l4proto udp mark 1 th dport 53 drop": "meta mark 0x00000001 udp dport 53 drop",
    "update @s { ip saddr timeout 90s }": "update @s { ip saddr timeout 1m30s }",
}  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), FORMS.items(), ids=FORMS)
def test_a_rule_is_listed_in_nft_s_own_words(text: str, shown: str) -> None:
    rule = parse_rule(text)
    assert str(rule) == shown
    assert parse_rule(shown) == rule


MISTAKES = {
    "": "expected a statement",
    "ip saddr 10.0.0 drop": "'10.0.0' is no ipv4_addr",
    "tcp dport 70000 drop": "70000 does not fit into inet_service",
    "tcp dport": "expected more, not the end of the line after 'tcp dport'",
    "counter accept": "'counter accept' is not modelled",
    "ct state neww drop": "no ct_state. Known: invalid, established",
    "reject with foo": "expected 'tcp reset' or 'icmp",
    "numgen inc mod 2 vmap { 0 : drop }": "only 'numgen random'",
    "update s { ip saddr }": "a set is named with @",
    "ip saddr {} drop": "a set without elements",
    "ip saddr . tcp dport { 1.1.1.1 } drop": "has 1 parts",
    "mark set mark plus 1": "'plus 1' is not modelled",
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.items(), ids=repr)
def test_a_mistake_is_named(text: str, says: str) -> None:
    with pytest.raises(NftError) as caught:
        parse_rule(text)
    assert says in str(caught.value)


TABLE = """
table ip t {
	set s { type ipv4_addr; elements = { 1.1.1.1 } }
	map m { type ipv4_addr : verdict; elements = { 1.1.1.1 : goto c } }
	chain c { }
	chain b { type filter hook input priority 0; ip saddr vmap @m; ip saddr @s jump c; }
}
"""

REFUSED = {
    "add rule ip t c jump zzz": "No such file or directory: chain zzz, in chain c",
    "add rule ip t c ip saddr @zzz drop": "No such file or directory: set zzz",
    "add rule ip t zzz drop": "No such file or directory: chain zzz",
    "add rule ip zzz c drop": "No such file or directory: table ip zzz",
    "add element ip t zzz { 1.1.1.1 }": "No such file or directory: set zzz",
    "add element ip t m { 2.2.2.2 : goto zzz }": "No such file or directory: chain zzz",
    "add element ip t m { 2.2.2.2 }": "a map holds KEY : VALUE",
    "add element ip t s { 2.2.2.2 : drop }": "a set holds keys alone",
    "add element ip t m { 1.1.1.1 : drop }": "File exists: element 1.1.1.1",
    "create element ip t s { 1.1.1.1 }": "File exists: element 1.1.1.1",
    "delete element ip t s { 9.9.9.9 }": "No such file or directory: element 9.9.9.9",
    "delete chain ip t c": "Device or resource busy: chain c",
    "delete set ip t s": "Device or resource busy: set s",
    "create table ip t": "File exists: table ip t",
    "create chain ip t c": "File exists: chain c",
    "create set ip t s { type ipv4_addr ; }": "File exists: set s",
    "add chain ip t n { type nat hook forward priority 0 ; }": "Operation not supported",
    "add chain ip t n { type filter hook input priority soon ; }": "'soon' is no priority",
    "add chain ip t b { type filter hook output priority 0 ; }": "hangs elsewhere already",
    "add table inet t": "family inet are not modelled",
    "add counter ip t c": "'add counter' is not modelled",
    "frobnicate": "'frobnicate' is no command",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=REFUSED)
def test_a_transaction_is_all_or_nothing(text: str, says: str) -> None:
    nft = Nftables()
    nft.load(TABLE)
    before = listed(nft)
    with pytest.raises(NftError) as caught:
        nft.load(f"add set ip t fresh {{ type ipv4_addr ; }}\nadd rule ip t c accept\n{text}\n")
    assert says in str(caught.value)
    assert listed(nft) == before


CHANGES = {
    "flush chain ip t b; delete chain ip t b": ["map m", "chain c", "set s"],
    "delete element ip t m { 1.1.1.1 }; flush chain ip t b; delete chain ip t c": ["chain b"],
    "destroy chain ip t zzz; destroy table ip zzz; destroy element ip t s { 5.5.5.5 }": ["chain c"],
    "insert rule ip t b drop; flush set ip t s": ["\t\tdrop\n\t\tip saddr vmap @m"],
    "add table ip t; add chain ip t c; add set ip t s { type ipv4_addr ; }": ["1.1.1.1"],
    "flush table ip t; delete set ip t s": ["map m"],
}


@pytest.mark.parametrize(("text", "holds"), CHANGES.items(), ids=CHANGES)
def test_what_changes(text: str, holds: list[str]) -> None:
    nft = Nftables()
    nft.load(TABLE)
    nft.load(text)
    assert all(part in listed(nft) for part in holds)
    other = Nftables()
    other.load(listed(nft))
    assert listed(other) == listed(nft)


def test_times_are_shown_as_nft_shows_them() -> None:
    assert [show_time(s) for s in (10800, 90, 299.992, 93784, 0)] == [
        "3h", "1m30s", "4m59s992ms", "1d2h3m4s", "0s",
    ]  # fmt: skip
