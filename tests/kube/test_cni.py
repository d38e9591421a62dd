"""The CNI plugins on the model: what packets do with what they set up; lists of plugins; flannel.

That the plugins answer and leave what the real ones do is proved in ``tests/kernel/test_cni_real*``.
"""

from __future__ import annotations

import json

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import NotModelled
from k8snetlib.kube.api import example_spec
from k8snetlib.kube.cni import bridge, flannel, host_local, invoke, node
from k8snetlib.kube.cni.spec import Call, CniError, Given, netns_path
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen

CONFLIST = json.dumps({
    "name": "net",
    "cniVersion": "1.0.0",
    "plugins": [
        {"type": "bridge", "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
         "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "loopback"},
    ],
})  # fmt: skip
PORT = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


def machine(*names, ports=()):
    """The example's client, turned into a node with CNI and containers of its own, on a network
    whose other machines know nothing of their addresses."""
    cluster = Cluster.example()
    host = cluster["client"]
    for name in names:
        ns = cluster.network.add(Netns(name, "pod"))
        listen(ns, Listener("tcp", "0.0.0.0", 80, name))
        listen(ns, Listener("udp", "0.0.0.0", 53, name))
        mappings = [mapping for owner, mapping in ports if owner == name]
        invoke.add_list(attachment(host, name, mappings), CONFLIST)
    return cluster


def attachment(host, name, mappings=()):
    return invoke.Attachment(
        host, f"id-{name}", name, capabilities={"portMappings": list(mappings)}
    )


def heard(exchange, where, address):
    """The first IP packet to an address that a device got, as a capture line."""
    lines = map(str, exchange.capture())
    return next(line for line in lines if line.startswith(f"{where} in") and f">{address}:" in line)


# -- what packets do ------------------------------------------------------------------------------


def test_two_containers_talk_by_the_bridge():
    cluster = machine("a", "b")
    exchange = cluster.connect("a", "b", port=80)
    assert exchange.outcome == "delivered"
    assert "] 10.77.0.2:" in heard(exchange, "b:eth0", "10.77.0.3")


@pytest.mark.parametrize(
    ("target", "sees"),
    [("node1", "192.168.66.100:"), ("ext", "192.168.66.100:"), ("b", "10.77.0.2:")],
)
def test_ip_masq_hides_the_container_outside_its_subnet(target, sees):
    cluster = machine("a", "b")
    port = 10250 if target == "node1" else 80
    exchange = cluster.connect("a", target, port=port)
    assert exchange.outcome == "delivered"
    assert f"] {sees}" in heard(exchange, f"{target}:eth0", cluster.address_of(target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("node1", "192.168.66.100"),  # from elsewhere
        ("client", "192.168.66.100"),  # the node itself
        ("client", "127.0.0.1"),  # and its loopback address, masqueraded
        ("a", "192.168.66.100"),  # the container to itself: hairpin
        ("b", "192.168.66.100"),
    ],
)
def test_a_host_port_leads_into_the_container(source, target):
    cluster = machine("a", "b", ports=[("a", PORT)])
    exchange = cluster.connect(source, target, port=8080)
    assert exchange.outcome == "delivered", exchange
    assert any(line.startswith("a:eth0 in") for line in map(str, exchange.capture()))


def test_deleted_host_ports_are_refused_again():
    cluster = machine("a", "b", ports=[("a", PORT)])
    host = cluster["client"]
    invoke.check_list(attachment(host, "a", [PORT]), CONFLIST)
    invoke.del_list(attachment(host, "a", [PORT]), CONFLIST)
    invoke.del_list(attachment(host, "a", [PORT]), CONFLIST)  # nothing left is no error
    assert cluster.connect("node1", "192.168.66.100", port=8080).outcome == "refused"
    assert cluster.connect("b", "192.168.66.100", port=80).outcome == "delivered"
    assert not cluster["a"].devices["lo"].up
    kept = [path for path in host.files if "id-a" in path or path.endswith("/10.77.0.2")]
    assert kept == []


# -- lists ----------------------------------------------------------------------------------------


def test_a_list_hands_the_result_on_and_keeps_the_last():
    cluster = machine("a", ports=[("a", PORT)])
    host = cluster["client"]
    kept = json.loads(host.files["/var/lib/cni/results/net-id-a-eth0"])
    assert (kept["kind"], kept["containerId"], kept["ifName"]) == ("cniCacheV1", "id-a", "eth0")
    result = kept["result"]
    assert [i["name"] for i in result["interfaces"]][::2] == ["cni0", "eth0"]
    assert result["ips"] == [{"interface": 2, "address": "10.77.0.2/24", "gateway": "10.77.0.1"}]
    assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.77.0.1"}]


REFUSED_LISTS = {
    "unknown plugin": (
        {"plugins": [{"type": "calico"}]}, "add",
        'plugin type="calico" failed (add): failed to find plugin "calico" in path [/opt/cni/bin]',
    ),
    "order": (
        {"plugins": [{"type": "portmap"}]}, "add",
        'plugin type="portmap" failed (add): must be called as chained plugin',
    ),
    "no plugins": ({"plugins": []}, "add", "no plugins in list"),
    "old check": (
        {"cniVersion": "0.3.1", "plugins": []}, "check",
        'configuration version "0.3.1" does not support CHECK command',
    ),
    "no result": (
        {"plugins": [{"type": "portmap", "capabilities": {"portMappings": True}}]}, "check",
        'plugin type="portmap" failed (check): Required prevResult missing',
    ),
    "delete": (
        {"plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}]}, "del",
        'plugin type="bridge" failed (delete): no IP ranges specified',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_LISTS)
def test_refused_lists(name):
    changes, verb, message = REFUSED_LISTS[name]
    cluster = machine("a")
    to = attachment(cluster["client"], "a")
    text = json.dumps({"name": "other", "cniVersion": "1.0.0", **changes})
    with pytest.raises(CniError) as caught:
        getattr(invoke, f"{verb}_list")(to, text)
    assert caught.value.message == message


def test_check_may_be_switched_off():
    cluster = machine("a")
    text = json.dumps({"name": "other", "cniVersion": "1.0.0", "disableCheck": True,
                       "plugins": [{"type": "calico"}]})  # fmt: skip
    invoke.check_list(attachment(cluster["client"], "a"), text)


# -- flannel --------------------------------------------------------------------------------------

ENV = """\
FLANNEL_NETWORK=10.1.0.0/16
FLANNEL_SUBNET=10.1.15.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ={}
"""


def flannel_call(env=None, **config):
    cluster = Cluster.example()
    cluster.network.add(Netns("new", "pod"))
    host = cluster["client"]
    if env is not None:
        host.files[flannel.SUBNET_FILE] = env
    call = Call(host, "c1", netns_path("new"))
    return cluster, call, {"name": "cbr0", "cniVersion": "0.3.1", "type": "flannel", **config}


@pytest.mark.parametrize("masq", [True, False])
def test_flannel_delegates(masq):
    cluster, call, config = flannel_call(
        ENV.format(str(masq).lower()), delegate={"hairpinMode": True, "isDefaultGateway": True}
    )
    result = flannel.add(call, config)
    # The very text that the real plugin logs and keeps.
    assert call.node.files["/var/lib/cni/flannel/c1"] == (
        '{"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":' + str(not masq).lower()
        + ',"ipam":{"ranges":[[{"subnet":"10.1.15.0/24"}]],"routes":[{"dst":"10.1.0.0/16"}],'
        '"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,'
        '"name":"cbr0","type":"bridge"}'
    )  # fmt: skip
    assert result.ips[0].address == "10.1.15.2/24"
    assert cluster["new"].sh("ip route").splitlines()[:2] == [
        "default via 10.1.15.1 dev eth0", "10.1.0.0/16 via 10.1.15.1 dev eth0",
    ]  # fmt: skip
    assert cluster["new"].devices["eth0"].mtu == call.node.devices["cni0"].mtu == 1450
    assert [str(a) for a in call.node.devices["cni0"].addresses] == ["10.1.15.1/24"]
    assert bool(call.node.ruleset.tables.get("nat")) is not masq
    flannel.check(call, config)
    flannel.delete(call, config)
    assert "eth0" not in cluster["new"].devices
    left = ["/run/flannel/subnet.env", "/var/lib/cni/networks/cbr0/last_reserved_ip.0",
            "/var/lib/cni/networks/cbr0/lock"]  # fmt: skip
    assert sorted(call.node.files) == left
    flannel.delete(call, config)


def test_flannel_lets_the_delegate_decide():
    env = ENV.format("true")
    _, call, config = flannel_call(
        env, delegate={"bridge": "br9", "mtu": 1400, "ipMasq": True, "isGateway": False},
        ipam={"routes": [{"dst": "10.96.0.0/16", "gw": "10.1.15.9"}], "dataDir": "/data"},
        runtimeConfig={"mac": "02:00:00:00:00:09"}, dataDir="/flannel",
    )  # fmt: skip
    result = flannel.add(call, config)
    assert call.node.devices["br9"].addresses == ()
    assert call.node.devices["br9"].mtu == 1400
    assert result.interfaces[2].mac == "02:00:00:00:00:09"
    assert [r.dst for r in result.routes] == ["10.96.0.0/16", "10.1.0.0/16"]
    assert {"/flannel/c1", "/data/cbr0/10.1.15.2"} <= set(call.node.files)
    assert call.node.ruleset.tables["nat"]


IPV6 = "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\n"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (None, "open /run/flannel/subnet.env: no such file or directory"),
        ("", "/run/flannel/subnet.env is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, "
             "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ"),
        (ENV.format("true").replace("FLANNEL_MTU=1450\n", ""),
         "/run/flannel/subnet.env is missing FLANNEL_MTU"),
        (ENV.format("true").replace("10.1.15.1/24", "10.1.15.1"),
         "invalid CIDR address: 10.1.15.1"),
        (ENV.format("true").replace("1450", "many"),
         'strconv.ParseUint: parsing "many": invalid syntax'),
    ],
)  # fmt: skip
def test_flannel_needs_its_subnet_env(env, message):
    _, call, config = flannel_call(env)
    with pytest.raises(CniError) as caught:
        flannel.add(call, config)
    assert caught.value.message == f"loadFlannelSubnetEnv failed: {message}"
    assert "/var/lib/cni/flannel/c1" not in call.node.files


@pytest.mark.parametrize(
    ("delegate", "message"),
    [
        ({"name": "x"}, "'delegate' dictionary must not have 'name' field, it'll be set by flannel"),
        ({"ipam": {}}, "'delegate' dictionary must not have 'ipam' field, it'll be set by flannel"),
        ({"type": 4}, "'delegate' dictionary, if present, must have (string) 'type' field"),
        ({"type": "ipvlan"},
         'failed to delegate add: failed to find plugin "ipvlan" in path [/opt/cni/bin]'),
        ({"bridge": "lo"}, 'failed to delegate add: failed to create bridge "lo": '
                           '"lo" already exists but is not a bridge'),
    ],
)  # fmt: skip
def test_flannel_refuses(delegate, message):
    _, call, config = flannel_call(ENV.format("true"), delegate=delegate)
    with pytest.raises(CniError) as caught:
        flannel.add(call, config)
    assert caught.value.message == message


def test_flannel_and_a_new_subnet():
    """The well-known trouble after a node got another lease: cni0 still has the old address."""
    cluster, call, config = flannel_call(ENV.format("true"))
    flannel.add(call, config)
    call.node.files[flannel.SUBNET_FILE] = ENV.format("true").replace("10.1.15.1", "10.1.40.1")
    cluster.network.add(Netns("newer", "pod"))
    with pytest.raises(CniError) as caught:
        flannel.add(call._replace(container_id="c2", netns=netns_path("newer")), config)
    assert caught.value.message == (
        "failed to delegate add: failed to set bridge addr: "
        '"cni0" already has an IP address different from 10.1.40.1/24'
    )
    # The address was released, the device is left for DEL.
    assert "/var/lib/cni/networks/cbr0/10.1.40.2" not in call.node.files
    assert "eth0" in cluster["newer"].devices


def test_both_families_are_read_and_ipv6_is_not_plugged():
    env = flannel.read_subnet_env(ENV.format("true") + IPV6)
    made = flannel.delegate({"name": "cbr0"}, env)
    assert made["ipam"]["ranges"] == [[{"subnet": "10.1.15.0/24"}], [{"subnet": "fd00:0:0:1::/64"}]]
    assert made["ipam"]["routes"] == [{"dst": "10.1.0.0/16"}, {"dst": "fd00::/48"}]
    _, call, config = flannel_call(ENV.format("true") + IPV6)
    with pytest.raises(NotModelled):
        flannel.add(call, config)


# -- a cluster of its own -------------------------------------------------------------------------


def cni_cluster(backend="vxlan", bridge_name="cni0"):
    spec = example_spec(backend)
    return Cluster(spec._replace(network=spec.network._replace(bridge=bridge_name)))


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_a_cluster_with_cni(backend):
    ours, dockers = cni_cluster(backend), Cluster.example(backend)
    for target in ("backend", "web1", "node1", "node3", "10.1.15.1"):
        for proto in ("tcp", "icmp"):
            options = {} if proto == "icmp" else {"port": 8080}
            got = ours.send("web2", target, proto=proto, sport=None, **options)
            expected = dockers.send("web2", target, proto=proto, sport=None, **options)
            assert got.outcome == expected.outcome
            lines = [str(frame).replace("cni0", "docker0") for frame in got.capture()]
            assert lines == [str(frame) for frame in expected.capture()]


def test_the_files_of_a_node():
    node1 = cni_cluster()["node1"]
    assert node1.sh("ls /var/lib/cni/networks/cbr0").splitlines() == [
        "10.1.15.2", "10.1.15.3", "last_reserved_ip.0", "lock",
    ]  # fmt: skip
    assert node1.sh("cat /run/flannel/subnet.env").splitlines() == [
        "FLANNEL_NETWORK=10.1.0.0/16", "FLANNEL_SUBNET=10.1.15.1/24", "FLANNEL_MTU=1450",
        "FLANNEL_IPMASQ=true",
    ]  # fmt: skip
    sandbox = node.PodNames("default", "web2", "10.1.15.2").sandbox_id
    assert node1.sh("cat /var/lib/cni/networks/cbr0/10.1.15.2").split() == [sandbox, "eth0"]
    conflist = json.loads(node1.sh("cat /etc/cni/net.d/10-flannel.conflist"))
    assert [p["type"] for p in conflist["plugins"]] == ["flannel", "portmap"]


def test_a_node_without_pods_has_no_bridge():
    spec = example_spec("vxlan")
    spec = spec._replace(
        pods=tuple(p for p in spec.pods if p.node != "node3"), services=(),
        network=spec.network._replace(bridge="br-pods"),
    )  # fmt: skip
    cluster = Cluster(spec)
    assert "br-pods" in cluster["node1"].devices
    assert "br-pods" not in cluster["node3"].devices
    assert cluster.connect("web2", "backend", port=8080).outcome == "delivered"


# -- values ---------------------------------------------------------------------------------------


def test_names_and_macs_come_from_the_networks_chance():
    seen = []
    for seed in (1, 1, 2):
        cluster = Cluster.example(seed=seed)
        cluster.network.add(Netns("new", "pod"))
        call = Call(cluster["client"], "c1", netns_path("new"))
        result = bridge.add(call, {"name": "n", "cniVersion": "1.0.0"})
        seen.append([(i.name, i.mac) for i in result.interfaces])
    assert seen[0] == seen[1] != seen[2]
    assert all(int(mac[:2], 16) & 3 == 2 for _, mac in seen[0])  # local, of one station


def test_given_names_are_taken():
    cluster, call, _ = flannel_call()
    given = Given("veth-x", "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03")
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
    result = bridge.add(call._replace(given=given),
                        {"name": "n", "cniVersion": "1.0.0", "isGateway": True, "ipam": ipam})  # fmt: skip
    assert [(i.name, i.mac) for i in result.interfaces] == [
        ("cni0", "02:00:00:00:00:03"), ("veth-x", "02:00:00:00:00:01"), ("eth0", "02:00:00:00:00:02"),
    ]  # fmt: skip
    assert call.node.sysctls["net.ipv4.ip_forward"] == 1
    assert cluster.ping("client", "10.9.0.2").outcome == "delivered"


@pytest.mark.parametrize("key", ["vlan", "vlanTrunk", "macspoofchk"])
def test_what_is_not_modelled_says_so(key):
    _, call, _ = flannel_call()
    with pytest.raises(NotModelled, match=key):
        bridge.add(call, {"name": "n", key: 5})


def test_files_belong_to_one_namespace_and_its_copy():
    cluster = machine("a")
    copy = cluster.network.clone()
    ours, theirs = cluster["client"], copy["client"]
    assert theirs.files == ours.files
    config = {"name": "net", "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}
    host_local.delete(Call(theirs, "id-a", ""), config)
    assert "/var/lib/cni/networks/net/10.77.0.2" in ours.files
    assert "/var/lib/cni/networks/net/10.77.0.2" not in theirs.files
    assert cluster["a"].files == {}


def test_one_end_of_a_veth_pair_takes_the_other_along():
    cluster = machine("a", "b")
    host = cluster["client"]
    veths = host.ports["cni0"]
    cluster["a"].remove_device("eth0")
    assert host.ports["cni0"] == veths[1:]
    assert veths[0] not in host.devices
    assert cluster.connect("b", "192.168.66.11", port=10250).outcome == "delivered"
