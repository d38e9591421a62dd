"""host-local and the protocol itself against Debian's plugins: answers, refusals and IPAM files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kernel.test_cni_real import BASE, bridged, pair, same_answer, same_state

__all__ = ["pair"]

pytestmark = pytest.mark.root


def local(*subnets: str, **more: Any) -> dict[str, Any]:
    """A host-local configuration: one range set for each text, its ranges by commas."""
    ranges = [[{"subnet": s} for s in text.split(",")] for text in subnets]
    return {**BASE, "name": "n", "ipam": {"type": "host-local", "ranges": ranges, **more}}


def ip(text: str) -> dict[str, str]:
    return {"CNI_ARGS": f"IP={text}"}


ONE = local("10.24.0.0/24")
TINY = local("10.0.0.0/30,10.0.1.0/30")
#: story -> calls of host-local: (command, configuration, container, environment).
CALLS: dict[str, list[tuple[str, dict[str, Any], str, dict[str, str]]]] = {
    "round robin": [
        ("ADD", ONE, "a", {}), ("ADD", ONE, "b", {}), ("DEL", ONE, "a", {}), ("ADD", ONE, "a", {}),
        ("CHECK", ONE, "a", {}), ("DEL", ONE, "a", {}), ("CHECK", ONE, "a", {}),
    ],
    "ranges of a set": [
        ("ADD", TINY, "a", {}), ("ADD", TINY, "b", {}), ("ADD", TINY, "c", {}),
        ("DEL", TINY, "a", {}), ("ADD", TINY, "c", {}),
    ],
    "both families": [
        ("ADD", local("10.24.0.0/24", "2001:DB8::/64", routes=[
            {"dst": "0.0.0.0/0", "gw": "10.24.0.1"}, {"dst": "::/0"}]), "a", {}),
        ("DEL", local("10.24.0.0/24", "2001:db8::/64"), "a", {}),
        ("ADD", {**local("10.24.0.0/24", "2001:db8::/64"), "cniVersion": "0.2.0"}, "b", {}),
    ],
    "duplicate": [("ADD", ONE, "a", {}), ("ADD", ONE, "a", {}),
                  ("ADD", ONE, "a", {"CNI_IFNAME": "eth1"})],
    "requested": [
        ("ADD", ONE, "a", ip("10.24.0.77")), ("ADD", ONE, "b", ip("10.24.0.77")),
        ("ADD", ONE, "b", ip("10.24.0.1")), ("ADD", ONE, "b", ip("10.25.0.1")),
        ("ADD", ONE, "b", {}),
        ("ADD", {**ONE, "args": {"cni": {"ips": ["10.24.0.9"]}}}, "c", {}),
        ("ADD", {**ONE, "runtimeConfig": {"ips": ["10.24.0.10"]}}, "d", {}),
        ("ADD", {**ONE, "runtimeConfig": {"ipRanges": [[{"subnet": "10.30.0.0/29"}]]}}, "e", {}),
    ],
    "one of two is refused": [
        ("ADD", TINY, "a", {}), ("ADD", TINY, "b", {}),
        ("ADD", local("10.24.0.0/24", "10.0.0.0/30,10.0.1.0/30"), "c", {}),
    ],
    "arguments": [
        ("ADD", ONE, "a", {"CNI_ARGS": text})
        for text in ("FOO=1", "FOO", "IP=foo", "IgnoreUnknown=1;FOO=1", "IgnoreUnknown=1;IP=10.24.0.5")
    ],
    "start and end": [
        ("ADD", {**BASE, "ipam": {"type": "host-local", "subnet": "10.24.0.0/24", **limits}}, "a", {})
        for limits in (
            {"rangeStart": "10.24.0.50", "rangeEnd": "10.24.0.40"},
            {"rangeStart": "10.21.0.50", "rangeEnd": "10.23.0.40"},
            {"rangeEnd": "10.23.0.40"}, {"rangeStart": "10.24.1.0"}, {"rangeStart": "nonsense"},
            {"rangeStart": "10.24.0.50", "gateway": "10.24.0.50"}, {"gateway": "10.99.0.1"},
            {"rangeEnd": "10.24.0.0"}, {"rangeStart": "::1"},
        )
    ],
    "wrong subnets": [
        ("ADD", local(*texts), "a", {})
        for texts in (
            ("10.24.0.0/31",), ("10.24.0.1/24",), ("10.24.0.0/99",), ("10.24.0.0",), ("nonsense",),
            ("2001:db8::/127",), ("2001:db8::1/64",), ("10.0.0.0/8,10.1.0.0/16",),
            ("10.0.0.0/8", "10.1.0.0/16"), ("10.0.0.0/24,2001:db8::/64",), (),
        )
    ],
    "wrong configurations": [
        ("ADD", {**BASE, **change}, "a", {})
        for change in (
            {}, {"ipam": {}}, {"ipam": {"ranges": [[]]}},
            {"ipam": {"subnet": "10.0.0.0/24", "routes": [{"dst": "10.1.0.0"}]}},
            {"cniVersion": "0.2.0", "ipam": {"ranges": [
                [{"subnet": "10.0.0.0/24"}], [{"subnet": "10.1.0.0/24"}]]}},
        )
    ],
    "old files": [("ADD", {**ONE, "cniVersion": version}, name, {})
                  for version, name in (("0.1.0", "a"), ("0.3.0", "b"), ("", "c"))],
}  # fmt: skip


@pytest.mark.parametrize("story", CALLS)
def test_host_local(pair, story):
    for command, config, container, more in CALLS[story]:
        if "ipam" in config:
            config = {**config, "ipam": {**config["ipam"], "dataDir": pair.folder}}
        ours, status, theirs, real_status = pair.call(
            "host-local", command, config, container, **more
        )
        assert status == real_status, (command, config, container, ours, theirs)
        same_answer(ours, theirs)
        mine, its = pair.files()
        assert mine == its


RESOLV = """\
# made by hand
nameserver 10.96.0.10
nameserver 10.96.0.11
search default.svc.cluster.local svc.cluster.local
options ndots:5 timeout:1
domain cluster.local
"""


def test_resolv_conf(pair, tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(RESOLV)
    pair.node.files[str(path)] = RESOLV
    ipam = {"type": "host-local", "subnet": "10.24.0.0/24", "dataDir": pair.folder}
    for name in (path, "/nonexistent/resolv.conf"):
        config = {**BASE, "ipam": {**ipam, "resolvConf": str(name)}}
        ours, status, theirs, real_status = pair.call("host-local", "ADD", config)
        assert (status, ours) == (real_status, theirs)


GOOD = json.dumps(bridged())
#: (plugin, what stands on standard input, changes to the environment).
PROTOCOL = [
    ("bridge", GOOD, {"CNI_COMMAND": "VERSION"}),
    ("host-local", "", {"CNI_COMMAND": "VERSION", "CNI_CONTAINERID": "", "CNI_IFNAME": ""}),
    ("bridge", GOOD, {"CNI_COMMAND": "FOO"}),
    ("bridge", GOOD, {"CNI_CONTAINERID": ""}),
    ("bridge", GOOD, {"CNI_CONTAINERID": "", "CNI_NETNS": "", "CNI_IFNAME": ""}),
    ("bridge", GOOD, {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "", "CNI_NETNS": ""}),
    ("bridge", GOOD, {"CNI_COMMAND": "CHECK", "CNI_IFNAME": ""}),
    ("bridge", GOOD, {"CNI_CONTAINERID": "a/b"}),
    ("bridge", GOOD, {"CNI_CONTAINERID": "-a"}),
    ("bridge", GOOD, {"CNI_IFNAME": "sixteen-letters-"}),
    ("bridge", GOOD, {"CNI_IFNAME": "eth/0"}),
    ("bridge", GOOD, {"CNI_IFNAME": "eth 0"}),
    ("bridge", GOOD, {"CNI_IFNAME": "."}),
    ("bridge", GOOD, {"CNI_ARGS": "IP=10.22.0.7"}),
    ("bridge", "", {}),
    ("bridge", '{"cniVersion"', {}),
    ("bridge", json.dumps({**BASE, "name": ""}), {}),
    ("bridge", json.dumps({**BASE, "name": "my net"}), {}),
    ("bridge", json.dumps({**BASE, "cniVersion": "1.1.0"}), {}),
    ("bridge", json.dumps({**BASE, "cniVersion": "nonsense"}), {}),
    ("bridge", json.dumps({**BASE, "cniVersion": "0.3.1"}), {"CNI_COMMAND": "CHECK"}),
    ("bridge", json.dumps({**BASE, "mtu": "1500"}), {}),
    ("bridge", json.dumps({**BASE, "isGateway": 1}), {}),
    ("bridge", json.dumps({**BASE, "bridge": True}), {}),
    ("portmap", json.dumps({**BASE, "snat": "yes", "prevResult": {}}), {}),
    ("portmap", json.dumps(BASE), {"CNI_COMMAND": "DEL"}),
    ("loopback", json.dumps(BASE), {"CNI_NETNS": "/var/run/netns/nobody"}),
]


@pytest.mark.parametrize(("plugin", "stdin", "env"), PROTOCOL)
def test_protocol(pair, plugin, stdin, env):
    command = env.get("CNI_COMMAND", "ADD")
    more = {key: value for key, value in env.items() if key != "CNI_COMMAND"}
    ours, status, theirs, real_status = pair.call(plugin, command, stdin, "a", **more)
    assert status == real_status, (ours, theirs)
    same_answer(ours, theirs)
    same_state(pair)
