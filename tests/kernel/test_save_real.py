"""Printing rules: the real ``iptables-restore`` takes them, and ``iptables-save`` prints as we do.

First every match and target that ``syntax`` knows, in many spellings, one rule each; then random
rulesets whole. Each line of the table is given as people write it.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator

import pytest

from k8snetlib.linux.netfilter import save
from k8snetlib.linux.netfilter.syntax import MATCHES, TARGETS
from k8snetlib.linux.netfilter.tables import Ruleset
from tests.conftest import require_root, require_tool
from tests.kernel.random_cases import ruleset
from tests.linux.test_details_tools import BEHIND, LINKS

#: (table, chain, rules as people write them)
SPELLINGS = {
    "heads": ("filter", "FORWARD", """
        -s 10.1.0.0/16 -j ACCEPT
        --source 10.1.2.3/255.255.0.0 -j ACCEPT
        ! -s 10.1.2.3 ! -d 10.0.0.0/8 ! -i eth0 ! -o veth+ ! -p tcp -j DROP
        -d 10.1.2.3/32 -i docker+ -j RETURN
        -p 47 -j ACCEPT
        -p all -j ACCEPT
        -p icmp -j ACCEPT
        -s 0.0.0.0/0 -d 0.0.0.0/0 -j ACCEPT
        -p udp
        -f -j DROP
        ! -f -j ACCEPT
        -o eth0 -s 10.0.0.1 -p esp -j ACCEPT
        -p sctp -j ACCEPT
        -j LATER
        -g LATER
    """),
    "ports": ("filter", "FORWARD", """
        -p tcp --dport 80 -j ACCEPT
        -p tcp -m tcp --dport 80 --sport 1024:65535 -j ACCEPT
        -p tcp -m tcp ! --dport 80:90 -j ACCEPT
        -p tcp --sport :1023 -j ACCEPT
        -p tcp --dport 1024: -j ACCEPT
        -p tcp --syn -j ACCEPT
        -p tcp ! --syn -j ACCEPT
        -p tcp --tcp-flags SYN,ACK,FIN SYN,FIN -j DROP
        -p tcp --tcp-flags ALL NONE -j DROP
        -p tcp -m tcp --tcp-flags FIN,SYN FIN --dport 22 -j DROP
        -p tcp -m tcp -j ACCEPT
        -p udp -m udp -j ACCEPT
        -p udp --dport 53 -j ACCEPT
        -p udp -m udp ! --sport 53 --dport 1:65535 -j ACCEPT
        -p tcp --dport 0:65535 -j ACCEPT
        -p tcp -m multiport --dports 80,443,8000:8080 -j ACCEPT
        -p udp -m multiport ! --sports 53 -j ACCEPT
        -p tcp -m multiport --ports 1,2,3 -j ACCEPT
        -p sctp -m sctp --dport 80 -j ACCEPT
        -p sctp -m sctp ! --sport 80:90 --dport 80 -j ACCEPT
    """),
    "icmp": ("filter", "FORWARD", """
        -p icmp --icmp-type 8 -j ACCEPT
        -p icmp --icmp-type echo-request -j ACCEPT
        -p icmp -m icmp --icmp-type any -j ACCEPT
        -p icmp -m icmp ! --icmp-type 3/4 -j ACCEPT
        -p icmp --icmp-type fragmentation-needed -j ACCEPT
        -p icmp --icmp-type time-exceeded -j ACCEPT
        -p icmp --icmp-type 0 -j ACCEPT
        -p icmp --icmp-type ttl-zero-during-transit -j ACCEPT
    """),
    "connections": ("filter", "FORWARD", """
        -m conntrack --ctstate NEW -j ACCEPT
        -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
        -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
        -m conntrack --ctstate INVALID,UNTRACKED,SNAT -j DROP
        -m conntrack --ctstatus SEEN_REPLY,ASSURED -j ACCEPT
        -m conntrack ! --ctstatus CONFIRMED -j ACCEPT
        -m conntrack --ctstate NEW ! --ctstatus EXPECTED -j ACCEPT
        -m state --state NEW,ESTABLISHED -j ACCEPT
        -m state ! --state INVALID -j ACCEPT
    """),
    "marks": ("filter", "FORWARD", """
        -m mark --mark 0x4000/0x4000 -j ACCEPT
        -m mark --mark 16384 -j ACCEPT
        -m mark ! --mark 1 -j ACCEPT
        -m mark --mark 0/0xff -j ACCEPT
        -j MARK --set-mark 1
        -j MARK --set-xmark 0x4000/0x4000
        -j MARK --or-mark 0x4000
        -j MARK --xor-mark 0x4000
        -j MARK --and-mark 0xff
        -j MARK --set-mark 0x10/0xf0
    """),
    "others": ("filter", "FORWARD", """
        -m comment --comment plain -j ACCEPT
        -m comment --comment "two words" -j ACCEPT
        -m comment --comment ns/svc:http -j ACCEPT
        -m comment --comment "with \\"quotes\\" in" -j ACCEPT
        -m comment --comment a.b -j ACCEPT
        -m comment --comment "" -j ACCEPT
        -m statistic --mode random --probability 0.5 -j ACCEPT
        -m statistic --mode random --probability 0.3333333333 -j ACCEPT
        -m statistic --mode random ! --probability 0.1 -j ACCEPT
        -m statistic --mode random --probability 1 -j ACCEPT
        -m statistic --mode nth --every 3 --packet 2 -j ACCEPT
        -m statistic --mode nth ! --every 2 --packet 1 -j ACCEPT
        -m addrtype --dst-type LOCAL -j ACCEPT
        -m addrtype ! --src-type LOCAL,BROADCAST --dst-type MULTICAST -j ACCEPT
        -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT
        -m addrtype --dst-type UNICAST,UNREACHABLE,PROHIBIT -j ACCEPT
        -m recent --set -j ACCEPT
        -m recent --name R --rcheck --seconds 10800 --reap -j ACCEPT
        -m recent ! --update --seconds 60 --hitcount 3 --name R --rdest -j ACCEPT
        -m recent --remove --name R --mask 255.255.255.0 --rsource -j ACCEPT
        -m limit --limit 3/min -j ACCEPT
        -m limit --limit 10/second --limit-burst 20 -j ACCEPT
        -m limit --limit 5/h -j ACCEPT
        -m limit --limit 1/day --limit-burst 5 -j ACCEPT
        -m limit --limit 100/s -j ACCEPT
        -m limit --limit 7/min -j ACCEPT
        -m physdev --physdev-in veth1 -j ACCEPT
        -m physdev ! --physdev-out veth+ --physdev-is-bridged -j ACCEPT
        -m physdev --physdev-is-in -j ACCEPT
        -m physdev ! --physdev-is-bridged -j ACCEPT
        -m physdev --physdev-is-out --physdev-is-bridged -j ACCEPT
        -m comment --comment first -m mark --mark 1 -m conntrack --ctstate NEW -j ACCEPT
        -m mark --mark 1 -m comment --comment later -j ACCEPT
    """),
    "targets": ("filter", "FORWARD", """
        -j ACCEPT
        -j DROP
        -j RETURN
        -j REJECT
        -j REJECT --reject-with icmp-host-prohibited
        -j REJECT --reject-with admin-prohib
        -p tcp -j REJECT --reject-with tcp-reset
        -j REJECT --reject-with port-unreach
        -j REJECT --reject-with icmp-net-unreachable
        -j LOG
        -j LOG --log-prefix dropped
        -j LOG --log-prefix "two words: " --log-level debug
        -j LOG --log-level 6
    """),
    "nat before": ("nat", "PREROUTING", """
        -p tcp -j DNAT --to-destination 10.1.20.3:8080
        -j DNAT --to-destination 10.1.20.3
        -p udp -j DNAT --to-destination 10.1.20.3-10.1.20.9:53-60 --random
        -j DNAT --to-destination 10.1.20.3-10.1.20.9 --persistent
        -p tcp -j DNAT --to-destination :8080
        -j REDIRECT
        -p tcp -j REDIRECT --to-ports 8080
        -p tcp -j REDIRECT --to-ports 8080-8090 --random
        -j ACCEPT
    """),
    "nat after": ("nat", "POSTROUTING", """
        -j MASQUERADE
        -j MASQUERADE --random-fully
        -j MASQUERADE --random
        -p tcp -j MASQUERADE --to-ports 1024-31000
        -p tcp -j MASQUERADE --to-ports 1024-31000 --random
        -j SNAT --to-source 192.168.66.11
        -p udp -j SNAT --to-source 192.168.66.11-192.168.66.13:1024-2048 --random
        -j SNAT --to-source 192.168.66.11 --random-fully
        -j SNAT --to-source 192.168.66.11-192.168.66.13 --persistent
        ! -s 10.1.0.0/16 -o eth0 -j MASQUERADE
    """),
}  # fmt: skip
RULES = [
    pytest.param(table, chain, rule.strip(), id=rule.strip())
    for table, chain, rules in SPELLINGS.values()
    for rule in rules.splitlines()
    if rule.strip()
]


@pytest.fixture(scope="module")
def netns() -> Iterator[str]:
    """An empty network namespace of our own."""
    require_root()
    for tool in ("ip", "iptables-restore", "iptables-save"):
        require_tool(tool)
    name = f"k8ss-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def real(netns: str, text: str) -> str:
    """What iptables-save prints after iptables-restore has taken ``text``; without its remarks."""
    inside = ["ip", "netns", "exec", netns]
    done = subprocess.run(
        [*inside, "iptables-restore"], input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = subprocess.run([*inside, "iptables-save"], text=True, capture_output=True, check=True)
    lines = [line.rstrip() for line in said.stdout.splitlines() if line[0] != "#"]
    return "\n".join(line.split(" [")[0] if line[0] == ":" else line for line in lines)


def _of(text: str, table: str) -> list[str]:
    """The rules of one table (tables of earlier tests are still there)."""
    return rule_lines(text.partition(f"*{table}\n")[2].partition("COMMIT")[0])


def ours(text: str) -> str:
    model = Ruleset()
    save.restore(model, text)
    lines = save.save(model).splitlines()
    return "\n".join(line.split(" [")[0] if line[0] == ":" else line for line in lines)


def rule_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("-A")]


@pytest.mark.root
@pytest.mark.parametrize(("table", "chain", "rule"), RULES)
def test_one_rule_prints_as_the_real_one(netns: str, table: str, chain: str, rule: str) -> None:
    text = f"*{table}\n:LATER - [0:0]\n-A {chain} {rule}\nCOMMIT\n"
    assert _of(ours(text), table) == _of(real(netns, text), table)


@pytest.mark.root
@pytest.mark.parametrize("seed", range(20))
def test_a_random_ruleset_prints_as_the_real_one(netns: str, seed: int) -> None:
    text = "\n".join(ruleset(random.Random(seed))) + "\n"
    assert sorted(ours(text).splitlines()) == sorted(real(netns, text).splitlines())
    assert rule_lines(ours(text)) == [
        line
        for table in ("mangle", "raw", "filter", "nat")
        for line in _of(real(netns, text), table)
    ]


@pytest.mark.root
@pytest.mark.parametrize(
    ("commands", "refused", "why"),
    [(*case, "Too many links") for case in LINKS.values()]
    + [(*case, "Invalid argument") for case in BEHIND.values()],
    ids=[*LINKS, *BEHIND],
)
def test_jumps_may_lead_to_where_it_is_noted(
    netns: str, commands: list[str], refused: str, why: str
) -> None:
    require_tool("iptables")
    for command in ("-F", "-X", "-t nat -F", "-t nat -X", *commands):
        done = subprocess.run(
            ["ip", "netns", "exec", netns, "iptables", *command.split()],
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        if command != commands[-1]:
            assert done.returncode == 0, done.stderr
    verb, _, chain = refused.partition(" ")
    said = f"RULE_{verb} failed ({why}): rule in chain {chain}" if refused else ""
    assert said in done.stderr
    assert bool(done.returncode) is bool(refused)


@pytest.mark.root
def test_what_we_print_is_taken_and_printed_unchanged(netns: str) -> None:
    for seed in range(20, 30):
        text = ours("\n".join(ruleset(random.Random(seed))) + "\n") + "\n"
        text = "\n".join(line + " [0:0]" if line[0] == ":" else line for line in text.splitlines())
        assert sorted(rule_lines(real(netns, text + "\n"))) == sorted(rule_lines(text))


def test_the_table_names_every_match_and_target() -> None:
    """Nothing that ``syntax`` knows may be missing above (ipsets, nfacct's counters and IPVS are not
    to be had on every machine)."""
    said = " ".join(rules for _, _, rules in SPELLINGS.values())
    assert {m for m in MATCHES if f"-m {m}" not in said} - {"icmp"} == {"set", "nfacct", "ipvs"}
    assert not {t for t in TARGETS if f"-j {t}" not in said}
