"""Single steps of the CNI plugins on the model, without root: what each sets up and takes away."""

from __future__ import annotations

import json

import pytest

from k8snetlib.kube.cni import bridge, host_local, invoke, portmap
from k8snetlib.kube.cni.ranges import Range, parse_address
from k8snetlib.kube.cni.result import CniRoute, Interface, IPConfig, Result
from k8snetlib.kube.cni.spec import Call, CniError, netns_path
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network

IPAM = {"type": "host-local", "subnet": "10.22.0.0/24"}
NET = {"name": "net", "cniVersion": "1.0.0"}


@pytest.fixture
def calls():
    """A node and a call for each of two containers."""
    network = Network()
    node = network.add(Netns("node", "node"))
    for name in "ab":
        network.add(Netns(name, "pod"))
    return {name: Call(node, f"id-{name}", netns_path(name)) for name in "ab"}


def rules(call, chain):
    return [str(rule) for rule in call.node.ruleset.tables["nat"][chain].rules]


# -- the bridge -----------------------------------------------------------------------------------


def test_a_bridge_follows_its_ports(calls):
    node = calls["a"].node
    for name, mtu in (("a", 1400), ("b", 1300)):
        bridge.add(calls[name], {**NET, "mtu": mtu})
    macs = {port: node.devices[port].mac for port in node.ports["cni0"]}
    assert (node.devices["cni0"].mtu, node.devices["cni0"].mac) == (1300, min(macs.values()))
    bridge.delete(calls["b"], NET)
    left = node.devices[node.ports["cni0"][0]]
    assert (node.devices["cni0"].mtu, node.devices["cni0"].mac) == (1400, left.mac)
    bridge.delete(calls["a"], NET)
    assert (node.devices["cni0"].mtu, node.devices["cni0"].mac) == (1500, "00:00:00:00:00:00")


def test_a_gateways_mac_address_stays(calls):
    config = {**NET, "isGateway": True, "ipam": IPAM}
    born = bridge.add(calls["a"], config).interfaces[0].mac
    assert bridge.add(calls["b"], config).interfaces[0].mac == born
    bridge.delete(calls["a"], config)
    bridge.delete(calls["b"], config)
    assert calls["a"].node.devices["cni0"].mac == born


def test_a_bridge_that_is_down_goes_up(calls):
    bridge.add(calls["a"], NET)
    calls["a"].node.update_device("cni0", up=False)
    bridge.add(calls["b"], NET)
    assert calls["a"].node.devices["cni0"].up


def test_a_random_name_that_is_taken_is_drawn_again(calls, monkeypatch):
    names = iter(["veth1", "veth1", "veth2"])
    monkeypatch.setattr("k8snetlib.kube.cni.link.random_veth", lambda _: next(names))
    made = [bridge.add(calls[name], NET).interfaces[1].name for name in "ab"]
    assert made == ["veth1", "veth2"]


def test_a_failed_add_gives_the_address_back(calls):
    bad = {**IPAM, "routes": [{"dst": "10.9.0.0/16", "gw": "10.99.0.1"}]}
    with pytest.raises(CniError, match="network is unreachable"):
        bridge.add(calls["a"], {**NET, "ipam": bad})
    assert "/var/lib/cni/networks/net/10.22.0.2" not in calls["a"].node.files


# -- host-local -----------------------------------------------------------------------------------

TINY = [{"subnet": "10.0.0.0/30"}]


def test_all_addresses_or_none(calls):
    both = {**NET, "ipam": {"ranges": [[{"subnet": "10.24.0.0/24"}], TINY]}}
    host_local.add(calls["a"], both)
    with pytest.raises(CniError, match=r"^failed to allocate for range 1: no IP addresses"):
        host_local.add(calls["b"], both)
    files = calls["a"].node.files
    assert [p for p, text in files.items() if text.startswith("id-b")] == []
    assert files["/var/lib/cni/networks/net/10.24.0.2"] == "id-a\r\neth0"


@pytest.mark.parametrize(
    ("ip", "message"),
    [
        ("10.22.0.1", "failed to allocate for range 0: requested ip 10.22.0.1 is subnet's gateway"),
        ("10.22.1.1", "failed to allocate all requested IPs: 10.22.1.1"),
    ],
)
def test_requests_that_cannot_be(calls, ip, message):
    with pytest.raises(CniError) as caught:
        host_local.add(calls["a"]._replace(args=f"IP={ip}"), {**NET, "ipam": IPAM})
    assert caught.value.message == message


def test_a_last_address_that_is_none_is_passed_over(calls):
    calls["a"].node.files["/var/lib/cni/networks/net/last_reserved_ip.0"] = "nonsense"
    assert host_local.add(calls["a"], {**NET, "ipam": IPAM}).ips[0].address == "10.22.0.2/24"


def test_families_are_not_mixed_up():
    v4 = Range.parse({"subnet": "10.0.0.0/24"})
    same_number = parse_address("::a00:5")
    assert int(same_number) == int(parse_address("10.0.0.5"))
    assert not v4.contains(same_number)
    assert v4.contains(parse_address("10.0.0.5"))


# -- portmap --------------------------------------------------------------------------------------

BEFORE = Result(
    (Interface("cni0"), Interface("eth0", "", "/x")),
    (IPConfig("10.22.0.1/24", interface=0), IPConfig("10.22.0.2/24", "10.22.0.1", 1)),
    (CniRoute("0.0.0.0/0"),),
)


def mapped(*ports, **changes):
    mappings = [{"hostPort": port, "containerPort": 80, "protocol": "tcp"} for port in ports]
    return {**NET, "runtimeConfig": {"portMappings": mappings},
            "prevResult": BEFORE.document("1.0.0"), **changes}  # fmt: skip


def test_ports_lead_to_the_containers_own_address_and_twice_is_once(calls):
    for _ in range(2):
        assert portmap.add(calls["a"], mapped(8080)) == BEFORE
    node = calls["a"].node
    own = portmap.chain_name("net", "id-a", "DN-")
    assert rules(calls["a"], own)[-1] == (
        "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.22.0.2:80"
    )
    assert len(rules(calls["a"], own)) == 3
    assert len(rules(calls["a"], portmap.TOP)) == 1
    assert rules(calls["a"], "PREROUTING") == ["-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"]
    portmap.delete(calls["a"], mapped(8080))
    assert own not in node.ruleset.tables["nat"]
    assert rules(calls["a"], portmap.TOP) == []


def test_the_masquerading_chain_stands_in_front(calls):
    calls["a"].node.sh("iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -j ACCEPT")
    portmap.add(calls["a"], mapped(8080))
    assert rules(calls["a"], "POSTROUTING")[0].endswith("-j CNI-HOSTPORT-MASQ")


def test_another_programs_chain_may_mark(calls):
    calls["a"].node.sh("iptables -t nat -N KUBE-MARK-MASQ")
    portmap.add(calls["a"], mapped(8080, externalSetMarkChain="KUBE-MARK-MASQ"))
    chains = calls["a"].node.ruleset.tables["nat"]
    assert {portmap.MASQ, portmap.SET_MARK} & set(chains) == set()
    assert rules(calls["a"], portmap.chain_name("net", "id-a", "DN-"))[0].endswith("KUBE-MARK-MASQ")


def test_a_long_comment_is_cut():
    conf = portmap.parse(mapped(8080, name="n" * 200))
    said = portmap.dnat_chain(conf, "c" * 100, "10.22.0.2/24").entry_rules[0][3]
    assert len(said) == 256
    assert said.endswith("ccc...")
    shorter = portmap.dnat_chain(conf, "c", "10.22.0.2/24").entry_rules[0][3]
    assert shorter == f'dnat name: "{"n" * 200}" id: "c"'


# -- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "with_result"), [("1.0.0", True), ("0.3.1", False)])
def test_what_a_list_hands_to_its_plugins(calls, monkeypatch, version, with_result):
    seen = []

    def spy(name):
        def add(_, config):
            seen.append(("add", name, config))
            return BEFORE

        return invoke.Plugin(
            add,
            lambda _, config: seen.append(("check", name, config)),
            lambda _, config: seen.append(("del", name, config)),
        )

    for name in ("one", "two"):
        monkeypatch.setitem(invoke.PLUGINS, name, spy(name))
    offered = {"portMappings": [1], "bandwidth": 2}
    plugins = [{"type": "one"},
               {"type": "two", "capabilities": {"portMappings": True, "bandwidth": False}}]  # fmt: skip
    text = json.dumps({"name": "net", "cniVersion": version, "plugins": plugins})
    to = invoke.Attachment(calls["a"].node, "id-a", "a", capabilities=offered)
    invoke.add_list(to, text)
    invoke.del_list(to, text)
    assert [entry[:2] for entry in seen] == [
        ("add", "one"), ("add", "two"), ("del", "two"), ("del", "one"),
    ]  # fmt: skip
    configs = [config for _, _, config in seen]
    assert all((c["name"], c["cniVersion"]) == ("net", version) for c in configs)
    assert ["prevResult" in c for c in configs] == [False, True, with_result, with_result]
    assert [c.get("runtimeConfig") for c in configs[:2]] == [None, {"portMappings": [1]}]
