"""IPVS mode's ipsets and rules, in a real kernel: taken as they are, and printed as we print them.

IPVS itself no kernel at hand has; everything that it needs besides does exist. A namespace has sets
of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from k8snetlib import Cluster
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netns import Netns
from tests.conftest import require_root, require_tool
from tests.kube.test_ipvs_options import with_balancer
from tests.linux.test_ipset import REFUSALS

#: What the kernel picks or measures itself.
_OWN = re.compile(r"initval 0x[0-9a-f]+|Size in memory: \d+")


@pytest.fixture(scope="module")
def netns() -> Iterator[str]:
    require_root()
    for tool in ("ip", "ipset", "iptables-restore", "iptables-save"):
        require_tool(tool)
    name = f"k8snet-ipset-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def real(netns: str, command: str, stdin: str = "") -> str:
    """What the real tool prints, on whichever of its two outputs."""
    done = subprocess.run(
        ["ip", "netns", "exec", netns, *command.split()], input=stdin, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=["example", "balancer"])
def node(request: pytest.FixtureRequest) -> Netns:
    """node1 as kube-proxy left it."""
    if request.param == "example":
        return Cluster.example(proxy_mode="ipvs")["node1"]
    return with_balancer()["node1"]


def rule_lines(text: str) -> list[str]:
    """The rules; those that ask IPVS itself are left out, as this kernel may not have the match."""
    return [line for line in text.splitlines() if line.startswith("-A") and "-m ipvs" not in line]


@pytest.mark.root
def test_sets_and_rules_load_and_print_unchanged(netns: str, node: Netns) -> None:
    """``ipset save`` is what ``ipset restore`` takes; rules ask the sets by name."""
    real(netns, "iptables-restore", "*nat\nCOMMIT\n*filter\nCOMMIT\n")
    assert real(netns, "ipset destroy") == ""
    saved = node.sh("ipset save")
    assert real(netns, "ipset restore", _OWN.sub("", saved) + "\n") == ""
    text = "\n".join(line for line in save(node.ruleset).splitlines() if "-m ipvs" not in line)
    assert real(netns, "iptables-restore", text + "\n") == ""
    ours, theirs = rule_lines(text), rule_lines(real(netns, "iptables-save"))
    assert len(ours) > 20
    assert sorted(theirs) == sorted(ours)
    for name in node.ipsets:
        listed = [_OWN.sub("*", t) for t in (node.sh(f"ipset list {name}"),
                                             real(netns, f"ipset list -s {name}"))]  # fmt: skip
        mine, its = ([line.rstrip() for line in t.splitlines() if line] for t in listed)
        assert mine[:7] == its[:7], name
        assert sorted(mine[7:]) == sorted(its[7:]), name


@pytest.mark.root
def test_refusals_are_the_real_ones(netns: str) -> None:
    """Word for word, as far as our table says them."""
    real(netns, "iptables-restore", "*nat\nCOMMIT\n*filter\nCOMMIT\n")
    real(netns, "ipset destroy")
    for command in ("create PORTS bitmap:port range 0-65535", "add PORTS 30080",
                    "create VIPS hash:ip,port", "add VIPS 10.96.0.10,tcp:80"):  # fmt: skip
        assert real(netns, f"ipset {command}") == ""
    rules = "*filter\n-A INPUT -m set --match-set VIPS dst,dst -j DROP\nCOMMIT\n"
    assert real(netns, "iptables-restore", rules) == ""
    for command, words in REFUSALS.items():
        assert words in real(netns, command), command
