"""The model's CNI plugins against Debian's (1.1.1), in the kernel: what they answer and leave.

Each row is a story of calls. After every call the results are compared; then the devices, addresses,
routes, bridge ports, rules and IPAM files. ``OLDER`` lists where 1.1.1 says something else than the
release that the conformance cases come from (1.9.1), which is what the model says.
The flannel plugin is not among Debian's: flannel's own project has it since 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.conftest import require_root, require_tool
from tests.kernel.real_cni import Pair, anonymous, require_plugin

pytestmark = pytest.mark.root

PLUGINS = ("bridge", "host-local", "loopback", "portmap")

#: What 1.1.1 says -> what later releases, and the model, say; each with the reason.
OLDER = {
    # The message names the other end as well.
    "container veth name provided (eth0) already exists":
        'container veth name ("eth0") peer provided ("vethRANDOM") already exists',
    # The sentence lost its full stop.
    "cannot set hairpin mode and promiscuous mode at the same time.":
        "cannot set hairpin mode and promiscuous mode at the same time",
}  # fmt: skip

#: 1.1.1 refuses with this where later releases, and the model, agree: it looks for the IPv6 rules of
#: a container without an IPv6 address.
OLDER_REFUSES = "could not check ipv6 dnat: "


class Step(NamedTuple):
    """One call: plugin, command, changes to the row's configuration, the container; ``more`` goes
    into the environment. ``prev`` hands the last result on."""

    plugin: str
    command: str
    changes: Mapping[str, Any] = MappingProxyType({})
    container: str = "a"
    prev: bool = False
    more: Mapping[str, str] = MappingProxyType({})
    before: str = ""


BASE = {"cniVersion": "1.0.0", "name": "net", "type": "bridge"}
IPAM = {"type": "host-local", "subnet": "10.22.0.0/24"}


def bridged(**changes: Any) -> dict[str, Any]:
    return {**BASE, "ipam": IPAM, **changes}


def portmapped(*ports: tuple[int, int, str], **changes: Any) -> dict[str, Any]:
    mappings = [{"hostPort": h, "containerPort": c, "protocol": p} for h, c, p in ports]
    return {**BASE, "runtimeConfig": {"portMappings": mappings}, **changes}


ADD, DEL, CHECK = (Step("bridge", command) for command in ("ADD", "DEL", "CHECK"))
CHECKED = CHECK._replace(prev=True)
PORTS = portmapped((8080, 80, "tcp"), (8053, 53, "udp"), (8443, 443, "tcp"))

STORIES: dict[str, tuple[dict[str, Any], list[Step]]] = {
    "plain": (bridged(), [ADD, CHECKED, DEL, DEL]),
    "gateway": (
        bridged(isGateway=True, mtu=1450),
        [ADD, CHECKED, ADD._replace(container="b"), DEL, DEL._replace(container="b")],
    ),
    "default gateway": (bridged(isDefaultGateway=True, hairpinMode=True), [ADD, CHECKED, DEL]),
    "masquerade": (
        bridged(isGateway=True, ipMasq=True, bridge="br7"),
        [ADD, CHECKED, ADD._replace(container="b"), DEL, DEL, DEL._replace(container="b")],
    ),
    "routes": (
        bridged(
            isGateway=True,
            ipam={**IPAM, "routes": [
                {"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.22.0.77"},
            ]},
        ),
        [ADD, CHECKED, DEL],
    ),
    "the route twice": (
        bridged(isDefaultGateway=True, ipam={**IPAM, "routes": [{"dst": "0.0.0.0/0"}]}),
        [ADD, DEL],
    ),
    "an unreachable gateway": (
        bridged(ipam={**IPAM, "routes": [{"dst": "10.9.0.0/16", "gw": "10.99.0.1"}]}),
        [ADD, DEL],
    ),
    "no ipam": ({**BASE, "bridge": "l2"}, [ADD, DEL]),
    "a mac address": (
        bridged(runtimeConfig={"mac": "02:11:22:33:44:55"}), [ADD, CHECKED, DEL],
    ),
    "a mac address by CNI_ARGS": (
        {**BASE}, [ADD._replace(more={"CNI_ARGS": "MAC=02:11:22:33:44:66"}), DEL],
    ),
    "dns of the configuration": (
        bridged(dns={"nameservers": ["10.96.0.10"], "search": ["svc.cluster.local"]}), [ADD, DEL],
    ),
    "older versions": (
        bridged(cniVersion="0.4.0", isGateway=True),
        [ADD, CHECKED, DEL, ADD._replace(changes={"cniVersion": "0.2.0"}), DEL,
         ADD._replace(changes={"cniVersion": "0.3.1"}),
         CHECK._replace(changes={"cniVersion": "0.3.1"})],
    ),
    "twice": (bridged(), [ADD, ADD, DEL]),
    "another address": (
        bridged(isGateway=True),
        [ADD, Step("bridge", "ADD", {"name": "other",
                                     "ipam": {**IPAM, "subnet": "10.23.0.0/24"}}, "b"),
         DEL._replace(container="b"),
         Step("bridge", "ADD", {"name": "other", "forceAddress": True,
                                "ipam": {**IPAM, "subnet": "10.23.0.0/24"}}, "b")],
    ),
    "not a bridge": (bridged(bridge="lo"), [ADD]),
    "no such namespace": (bridged(), [ADD._replace(container="c"), DEL._replace(container="c"),
                                      CHECK._replace(container="c")]),
    "a namespace that is gone": (bridged(), [ADD, DEL._replace(more={"CNI_NETNS": ""})]),
    "both modes": (bridged(hairpinMode=True, promiscMode=True), [ADD]),
    "an empty pool": (
        bridged(ipam={**IPAM, "subnet": "10.22.0.0/30"}), [ADD, ADD._replace(container="b")],
    ),
    "check without a result": (bridged(), [ADD, CHECK]),
    "check without an address": (
        bridged(isGateway=True), [ADD, CHECKED._replace(before="ip addr del 10.22.0.2/24 dev eth0")]
    ),
    "check without a route": (
        bridged(ipam={**IPAM, "routes": [{"dst": "10.9.0.0/16"}]}),
        [ADD, CHECKED._replace(before="ip route del 10.9.0.0/16")],
    ),
    "check without a default route": (
        bridged(isDefaultGateway=True), [ADD, CHECKED._replace(before="ip route del default")],
    ),
    "check with another default route": (
        bridged(isDefaultGateway=True),
        [ADD, CHECKED._replace(before="ip route replace default via 10.22.0.99")],
    ),
    "check with another gateway": (
        bridged(ipam={**IPAM, "routes": [{"dst": "10.9.0.0/16", "gw": "10.22.0.77"}]}),
        [ADD, CHECKED._replace(before="ip route replace 10.9.0.0/16 via 10.22.0.99")],
    ),
    "check without ipam": (
        {**BASE, "bridge": "l2"},
        [ADD, CHECKED, CHECKED._replace(more={"CNI_IFNAME": "eth7"})],
    ),
    "check of an older result": (
        bridged(), [ADD, DEL, CHECKED, ADD, CHECKED._replace(changes={"bridge": "other"})],
    ),
    "loopback": (
        {**BASE, "type": "loopback"},
        [Step("loopback", "CHECK"), Step("loopback", "ADD"), Step("loopback", "CHECK"),
         Step("loopback", "ADD", prev=True), Step("loopback", "DEL"), Step("loopback", "CHECK"),
         Step("loopback", "DEL", more={"CNI_NETNS": ""})],
    ),
    "ports": (
        bridged(isGateway=True, ipMasq=True),
        [ADD, Step("portmap", "ADD", PORTS, prev=True), Step("portmap", "CHECK", PORTS, prev=True),
         ADD._replace(container="b"),
         Step("portmap", "ADD", portmapped((9000, 90, "tcp")), "b", prev=True),
         Step("portmap", "DEL", PORTS), Step("portmap", "DEL", PORTS), DEL],
    ),
    "many ports": (
        bridged(),
        [ADD, Step("portmap", "ADD", portmapped(*((8000 + n, n, "tcp") for n in range(1, 18))),
                   prev=True)],
    ),
    "ports without snat": (
        bridged(), [ADD, Step("portmap", "ADD", {**PORTS, "snat": False}, prev=True)],
    ),
    "ports with conditions and a bit": (
        bridged(),
        [ADD, Step("portmap", "ADD", {**PORTS, "markMasqBit": 3,
                                      "conditionsV4": ["!", "-s", "10.1.0.0/16"]}, prev=True)],
    ),
    "ports of one address": (
        bridged(),
        [ADD, Step("portmap", "ADD", {"runtimeConfig": {"portMappings": [
            {"hostPort": 80, "containerPort": 80, "protocol": "tcp", "hostIP": "192.0.2.1"},
            {"hostPort": 81, "containerPort": 81, "protocol": "tcp", "hostIP": "0.0.0.0"},
            {"hostPort": 82, "containerPort": 82, "protocol": "tcp", "hostIP": "2001:db8::1"},
        ]}}, prev=True)],
    ),
    "ports refused": (
        bridged(),
        [ADD, Step("portmap", "ADD", PORTS), Step("portmap", "CHECK", PORTS),
         Step("portmap", "ADD", portmapped((0, 80, "tcp")), prev=True),
         Step("portmap", "ADD", portmapped((80, 0, "tcp")), prev=True),
         Step("portmap", "CHECK", PORTS, prev=True),
         Step("portmap", "ADD", {**PORTS, "markMasqBit": 40}, prev=True),
         Step("portmap", "ADD", {**PORTS, "markMasqBit": 4, "externalSetMarkChain": "X"},
              prev=True)],
    ),
    "no ports": (bridged(), [ADD, Step("portmap", "ADD", prev=True),
                             Step("portmap", "CHECK", prev=True), Step("portmap", "DEL")]),
}  # fmt: skip


@pytest.fixture
def pair(tmp_path):
    require_root()
    for tool in ("ip", "bridge", "iptables-save", "sysctl"):
        require_tool(tool)
    for plugin in PLUGINS:
        require_plugin(plugin)
    made = Pair(tmp_path / "networks")
    try:
        made.build()
        yield made
    finally:
        made.close()


def same_answer(ours, theirs):
    if isinstance(theirs, dict) and theirs.get("msg") in OLDER:
        theirs = {**theirs, "msg": OLDER[theirs["msg"]]}
    if isinstance(theirs, dict) and "msg" in theirs:
        # Go prints the mask of the plugin's own default route in sixteen bytes.
        theirs = {**theirs, "msg": theirs["msg"].replace("00000000000000000000ffff", "")}
    if isinstance(ours, dict) and "msg" in ours:
        ours = {**ours, "msg": re.sub(r"veth[0-9a-f]{8}", "vethRANDOM", ours["msg"])}
    assert anonymous(ours) == anonymous(theirs)


def same_state(pair):
    ours, theirs = pair.files()
    assert ours == theirs
    for command in ("ip addr", "ip route", "bridge -d link", "sysctl net.ipv4.ip_forward"):
        ours, theirs = pair.printed("node", command)
        if command == "bridge -d link":
            ours, theirs = (_hairpins(lines) for lines in (ours, theirs))
        assert ours == theirs, command
    ours, theirs = pair.printed("node", "iptables-save -t nat")
    assert _of_plugins(ours) == _of_plugins(theirs)
    for name in pair.CONTAINERS:
        for command in ("ip addr", "ip route"):
            ours, theirs = pair.printed(name, command)
            assert ours == theirs, f"{name}: {command}"


def _hairpins(lines):
    """Who is a port of what, and its hairpin mode."""
    # Behind @ stands whatever has the peer's number in this namespace.
    first = [line.partition("@")[0] for line in lines if line.startswith("N: ")]
    return first, [line.split()[:2] for line in lines if line.strip().startswith("hairpin")]


def _of_plugins(lines):
    return [line for line in lines if line.startswith(("-A", ":CNI"))]


@pytest.mark.parametrize("story", STORIES)
def test_story(pair, story):
    config, steps = STORIES[story]
    results: dict[str, tuple[Any, Any]] = {}
    for step in steps:
        if step.before:
            pair.printed(step.container, step.before)
        config_now = {**config, **step.changes}
        if "ipam" in config_now:
            config_now["ipam"] = {**config_now["ipam"], "dataDir": pair.folder}
        both = []
        for at in (0, 1):
            given = {"prevResult": results[step.container][at]} if step.prev else {}
            both.append({**config_now, **given})
        ours, our_status, theirs, their_status = pair.call_each(
            step.plugin, step.command, both, step.container, **step.more
        )
        if isinstance(theirs, dict) and str(theirs.get("msg")).startswith(OLDER_REFUSES):
            theirs, their_status = "", 0
        assert our_status == their_status, (step, ours, theirs)
        same_answer(ours, theirs)
        same_state(pair)
        if our_status == 0 and step.command == "ADD":
            results[step.container] = (ours, theirs)


def test_a_bridge_without_address_has_the_lowest_mac_of_its_ports(pair):
    config = {**BASE, "bridge": "l2"}
    for container in pair.CONTAINERS:
        for answer in pair.call("bridge", "ADD", config, container)[::2]:
            assert isinstance(answer, dict)
            bridge, port, _ = (interface["mac"] for interface in answer["interfaces"])
            assert bridge <= port
    listed = pair.real(pair.node.name, "ip -br link show type veth").stdout.splitlines()
    theirs = [line.split()[2] for line in listed]
    ours = [d.mac for d in pair.node.devices.values() if d.kind == "veth"]
    real_bridge = pair.real(pair.node.name, "ip -br link show l2").stdout.split()[2]
    assert len(theirs) == len(ours) == 2
    assert real_bridge == min(theirs)
    assert pair.node.devices["l2"].mac == min(ours)


def plugged(pair):
    """A gateway's configuration, and what both plugins answered to ADD."""
    config = bridged(isGateway=True, ipam={**IPAM, "dataDir": pair.folder})
    ours, _, theirs, _ = pair.call("bridge", "ADD", config)
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    return config, ours, theirs


def test_check_misses_a_port_that_was_moved(pair):
    config, ours, theirs = plugged(pair)
    pair.node.sh(f"ip link set {ours['interfaces'][1]['name']} nomaster")
    pair.real(pair.node.name, f"ip link set {theirs['interfaces'][1]['name']} nomaster")
    configs = [{**config, "prevResult": result} for result in (ours, theirs)]
    answer, status, real_answer, real_status = pair.call_each("bridge", "CHECK", configs)
    assert (status, answer) == (real_status, real_answer)
    assert status == 1


@pytest.mark.parametrize(
    ("at", "field", "value"),
    [
        (2, "sandbox", ""), (2, "sandbox", "/var/run/netns/x"), (2, "mac", "02:00:00:00:00:01"),
        (2, "name", "eth9"), (1, "mac", "02:00:00:00:00:01"), (1, "sandbox", "/x"),
        (1, "name", "veth0"), (0, "mac", "02:00:00:00:00:01"), (0, "sandbox", "/x"),
        (0, "name", "br0"),
    ],
)  # fmt: skip
def test_check_compares_with_the_result(pair, at, field, value):
    config, ours, theirs = plugged(pair)
    for result in (ours, theirs):
        interface = result["interfaces"][at]
        result["old"] = interface["mac"]
        interface[field] = value
    configs = [{**config, "prevResult": result} for result in (ours, theirs)]
    answer, status, real_answer, real_status = pair.call_each("bridge", "CHECK", configs)
    assert status == real_status == 1
    for result, said in ((ours, answer), (theirs, real_answer)):
        said["msg"] = said["msg"].replace(result["old"], "ITS MAC")
        said["msg"] = said["msg"].replace(result["interfaces"][1]["name"], "ITS VETH")
    assert answer == real_answer


def test_a_bridge_that_is_down_goes_up(pair):
    config, _, _ = plugged(pair)
    pair.printed("node", "ip link set cni0 down")
    pair.call("bridge", "ADD", config, "b")
    ours, theirs = pair.printed("node", "ip -br link show up")
    assert [line.split()[0] for line in theirs if line.startswith("cni0")] == ["cni0"]
    assert pair.node.devices["cni0"].up
    assert any(line.startswith("cni0") for line in ours)
