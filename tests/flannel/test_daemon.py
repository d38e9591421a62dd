"""flanneld's life on the model's clock: leases, failures, what stays in the kernel and what goes."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster, K8sNetError
from k8snetlib.address import Prefix
from k8snetlib.errors import BadManifest
from k8snetlib.etcd.api import Put
from k8snetlib.kube.api import NO_RANGE, Node, example_spec
from k8snetlib.kube.apiserver import api_server
from k8snetlib.linux.netns import Device
from k8snetlib.linux.route import Route

BACKENDS = ("udp", "vxlan", "host-gw")


def subnets(cluster: Cluster) -> list[str]:
    """The leases in etcd."""
    prefix = "/coreos.com/network/subnets/"
    keys = cluster["node1"].sh(f"etcdctl get --prefix --keys-only {prefix}").split()
    return [key.removeprefix(prefix) for key in keys]


def said(cluster: Cluster, node: str, text: str) -> int:
    """How often flanneld on a node said something."""
    return sum(text in line.text for line in cluster.flanneld(node).journal)


def talks(cluster: Cluster) -> bool:
    """True if web2 on node1 reaches backend on node2."""
    return cluster.connect("web2", "backend", 8080).outcome == "delivered"


ALL = ["10.1.15.0-24", "10.1.20.0-24", "10.1.30.0-24"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_day_and_an_hour_change_nothing(backend: str) -> None:
    """Leases are renewed an hour before they end; in a clone as well."""
    cluster = Cluster.example(backend)
    cluster.advance("12h")
    twin = cluster.clone()
    for each in (cluster, twin):
        each.advance("13h")
        assert subnets(each) == ALL
        assert said(each, "node1", "Lease renewed, new expiration: 2000-01-02 23:00:00") == 1
        assert talks(each)
    twin.stop_flanneld("node2")
    assert cluster.flanneld("node2").running, "a clone is independent"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_node_cut_off_for_a_day_loses_its_lease(backend: str) -> None:
    """Its renewals fail each minute; at 24 h the peers delete its routes; when it is back it learns
    that its lease is gone, ends, is started again, and gets its old subnet."""
    cluster = Cluster.example(backend)
    cluster.cut_from_etcd("node2")
    cluster.advance("23h59m")
    assert talks(cluster), "the kernel goes on"
    assert said(cluster, "node2", "Error renewing lease (trying again in 1 min)") == 60
    cluster.advance("2m")
    assert subnets(cluster) == [ALL[0], ALL[2]]
    assert cluster.flanneld("node2").running, "it does not know"
    assert not talks(cluster)
    cluster.reconnect("node2")
    assert said(cluster, "node2", "Lease has been revoked. Shutting down daemon.") == 1
    assert cluster["node2"].sh("systemctl is-active flanneld") == "activating"
    cluster.advance("5s")
    assert subnets(cluster) == ALL
    assert talks(cluster)


def test_without_etcd_nothing_expires_and_packets_flow() -> None:
    """ETCD_DOWN: all of etcd is gone, so no lease can run out; pods go on talking."""
    cluster = Cluster.example("vxlan")
    cluster.stop_etcd()
    cluster.advance("30h")
    assert talks(cluster)
    cluster.restart_flanneld("node1")
    assert said(cluster, "node1", "Couldn't fetch network config: context deadline exceeded") == 1
    assert talks(cluster), "the kernel's entries stay"
    cluster.advance("1h")
    cluster.start_etcd()
    cluster.advance("61s")
    assert subnets(cluster) == ALL
    assert talks(cluster)


@pytest.mark.parametrize(
    ("backend", "left"),
    [("udp", ()), ("vxlan", ("10.1.20.0/24", "10.1.30.0/24")),
     ("host-gw", ("10.1.20.0/24", "10.1.30.0/24"))],
)  # fmt: skip
def test_what_stays_when_flanneld_stops(backend: str, left: tuple[str, ...]) -> None:
    """All but flannel0; the rules and subnet.env stay too; the lease stays until it ends."""
    cluster = Cluster.example(backend)
    node1 = cluster["node1"]
    rules = node1.sh("iptables-save")
    cluster.stop_flanneld("node1")
    found = [str(r.prefix) for r in node1.routes if r.via and r.prefix.length == 24]
    assert tuple(found) == left
    assert "flannel0" not in node1.devices
    assert node1.sh("iptables-save") == rules
    assert "FLANNEL_SUBNET=10.1.15.1/24" in node1.files["/run/flannel/subnet.env"]
    cluster.advance("23h")
    assert ALL[0] in subnets(cluster)
    cluster.advance("1h")
    assert ALL[0] not in subnets(cluster)
    assert talks(cluster) is False, "node2 has forgotten the way back"
    cluster.start_flanneld("node1")
    assert talks(cluster)


def test_a_restart_with_and_without_subnet_env() -> None:
    """SUBNET_KEEP: without the file, once the lease is gone, it is another subnet. LEASE_BRIDGE:
    the bridge keeps the old one: nobody reaches its pods, and what they send is masqueraded, since
    for flannel's rules they are no longer this node's."""
    cluster = Cluster.example("host-gw", seed=3)
    cluster.restart_flanneld("node1")
    assert str(cluster.flanneld("node1").lease) == "10.1.15.0/24 -> 192.168.66.11"
    cluster.stop_flanneld("node1")
    cluster.advance("25h")
    del cluster["node1"].files["/run/flannel/subnet.env"]
    cluster.start_flanneld("node1")
    lease = cluster.flanneld("node1").lease
    assert lease is not None
    assert str(lease.subnet) not in ("10.1.15.0/24", "10.1.20.0/24", "10.1.30.0/24")
    assert "10.1.15.1/24" in cluster["node1"].sh("ip -br addr")
    assert cluster.connect("backend", "web2", 80).outcome != "delivered"
    request = cluster.connect("web2", "backend", 8080).request
    assert request is not None
    assert request.last.packet.ip.src == "192.168.66.11"


def test_stale_routes_of_a_node_that_went_while_we_were_down() -> None:
    """STALE_ROUTE: what was removed while flanneld was stopped is never removed."""
    cluster = Cluster.example("host-gw")
    cluster.stop_flanneld("node1")
    cluster["node2"].sh("systemctl stop flanneld")
    cluster["node3"].sh("etcdctl del /coreos.com/network/subnets/10.1.20.0-24")
    cluster.start_flanneld("node1")
    assert "10.1.20.0/24 via 192.168.66.12" in cluster["node1"].sh("ip route")
    assert "10.1.20.0/24" not in cluster["node3"].sh("ip route")


def test_rules_are_put_back_within_five_seconds_at_the_end() -> None:
    """If one is missing, all are deleted and appended, behind what others have appended."""
    cluster = Cluster.example(proxy_mode="none")
    node1 = cluster["node1"]
    before = node1.sh("iptables -S FLANNEL-FWD")
    cluster.advance("2s")
    node1.sh("iptables -A FORWARD -j DROP")
    node1.sh("iptables -F FLANNEL-FWD")
    cluster.advance("2.5s")
    assert node1.sh("iptables -S FLANNEL-FWD") != before
    twin = cluster.clone()
    for each in (cluster, twin):
        each.advance("1s")
        assert each["node1"].sh("iptables -S FLANNEL-FWD") == before
        jump = each["node1"].sh("iptables -S FORWARD").splitlines()
        assert jump[1:] == [
            "-A FORWARD -j DROP",
            '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
        ]
        assert said(each, "node1", "Some iptables rules are missing") == 1
    node1.sh("iptables -P FORWARD DROP")
    cluster.advance("1h")
    assert said(cluster, "node1", "Some iptables rules are missing") == 1


def test_without_forward_rules_a_drop_policy_cuts_the_pods_off() -> None:
    """FWD: Docker sets the policy DROP; flannel's two rules are what makes up for it."""
    for words, works in (("--ip-masq", True), ("--ip-masq --iptables-forward-rules=false", False)):
        cluster = Cluster.example("vxlan", flanneld=words)
        for node in cluster.nodes:
            cluster[node].sh("iptables -P FORWARD DROP")
        assert talks(cluster) == works


def test_host_gw_adds_missing_routes_again_and_replaces_others() -> None:
    cluster = Cluster.example("host-gw")
    node1 = cluster["node1"]
    node1.sh("ip route del 10.1.20.0/24")
    cluster.advance("9s")
    assert "10.1.20.0/24" not in node1.sh("ip route")
    cluster.advance("1s")
    assert "10.1.20.0/24 via 192.168.66.12 dev eth0" in node1.sh("ip route")
    assert said(cluster, "node1", "Route recovered 10.1.20.0/24 : 192.168.66.12") == 1
    node1.routes.replace(Route(Prefix.parse("10.1.20.0/24"), "eth0", via="192.168.66.13"))
    cluster.advance("1h")
    assert "via 192.168.66.13" in node1.sh("ip route show 10.1.20.0/24"), "there is one: no look"
    cluster.restart_flanneld("node2")
    assert "via 192.168.66.12" in node1.sh("ip route show 10.1.20.0/24")
    assert said(cluster, "node1", "Replacing existing route to") == 1


def test_a_vxlan_device_that_vanishes_is_made_again() -> None:
    cluster = Cluster.example("vxlan")
    node1 = cluster["node1"]
    mac = node1.devices["flannel.1"].mac
    node1.remove_device("flannel.1")
    assert not talks(cluster)
    cluster.advance("5s")
    assert node1.devices["flannel.1"].mac == mac
    assert talks(cluster)


def test_every_node_the_same_public_address() -> None:
    """IFACE: flannel takes the default route's interface. Behind a NAT that is the same address on
    every node, and all share one lease."""
    cluster = Cluster.example("vxlan", flanneld="--public-ip=10.0.2.15 --iface=eth0")
    leases = {cluster.flanneld(node).lease.subnet for node in cluster.nodes}  # type: ignore[union-attr]
    assert len(leases) == 1
    assert len(subnets(cluster)) == 1
    assert not talks(cluster)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--iface=eth1", "Could not find valid interface matching eth1: error looking up"),
        ("--iface=eth1", "Failed to find interface to use that matches"),
        ("--public-ip=9.9.9.9", "No interface with given IP found"),
        ("--public-ip=9.9.9.9 --iface=eth0", "your PublicIP differs from interface IP"),
    ],
)
def test_a_flanneld_that_cannot_start_says_why_and_is_started_again(words: str, says: str) -> None:
    cluster = Cluster.example("host-gw")
    routes = cluster["node1"].sh("ip route")
    cluster.restart_flanneld("node1", words)
    assert said(cluster, "node1", says)
    assert cluster["node1"].sh("systemctl is-active flanneld") == "activating"
    assert "status=1/FAILURE" in cluster["node1"].sh("systemctl status flanneld")
    cluster.advance("12s")
    assert said(cluster, "node1", says) == 3, "every five seconds"
    assert cluster["node1"].sh("ip route") == routes
    cluster.flanneld("node1").configure("--ip-masq")
    cluster.advance("5s")
    assert cluster.flanneld("node1").running


def test_an_interface_by_name_or_by_address() -> None:
    cluster = Cluster.example("host-gw")
    node1 = cluster["node1"]
    node1.add_device(Device("eth1", "veth", "02:00:00:00:00:09", mtu=9000))
    node1.add_address("eth1", "192.168.77.11/24")
    for words in ("--iface=eth1", "--iface=192.168.77.11", "--iface=ens9 --iface=eth1"):
        cluster.restart_flanneld("node1", words)
        iface = cluster.flanneld("node1").iface
        assert iface is not None
        assert (iface.name, iface.public, iface.mtu) == ("eth1", "192.168.77.11", 9000)
        assert "FLANNEL_MTU=9000" in node1.files["/run/flannel/subnet.env"]


def test_a_broken_net_conf_is_waited_out() -> None:
    """A running flanneld does not read it again; one that starts asks each second."""
    cluster = Cluster.example("vxlan")
    good = '{"Network": "10.1.0.0/16", "Backend": {"Type": "vxlan"}}'
    key = b"/coreos.com/network/config"
    cluster.etcd.put(Put(key, b'{"Network": '))
    assert talks(cluster)
    cluster.restart_flanneld("node1")
    assert said(cluster, "node1", "Couldn't fetch network config: unexpected end of JSON input")
    cluster.advance("10h")
    assert talks(cluster)
    cluster.advance(0.5)
    cluster.etcd.put(Put(key, good.encode()))
    assert cluster.flanneld("node1").lease is None
    cluster.advance(0.5)
    assert str(cluster.flanneld("node1").lease) == "10.1.15.0/24 -> 192.168.66.11"


def test_leases_of_another_backend_are_passed_over() -> None:
    """A mixed cluster: each backend sees only its own kind."""
    cluster = Cluster.example("vxlan")
    conf = '{"Network": "10.1.0.0/16", "Backend": {"Type": "host-gw"}}'
    cluster.etcd.put(Put(b"/coreos.com/network/config", conf.encode()))
    cluster.restart_flanneld("node2")
    assert said(cluster, "node2", "Ignoring non-host-gw subnet: type=vxlan") == 2
    assert said(cluster, "node1", "ignoring non-vxlan v4Subnet(10.1.20.0/24)") == 1
    assert "10.1.20.0/24 via 10.1.20.0 dev flannel.1" in cluster["node1"].sh("ip route"), "stays"


def test_the_vtep_mac_comes_from_the_lease() -> None:
    """A flanneld that runs writes its own back at once: a put without a lease has no time left."""
    cluster = Cluster.example("vxlan")
    value = ('{"PublicIP":"192.168.66.12","PublicIPv6":null,"BackendType":"vxlan",'
             '"BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:99"}}')  # fmt: skip
    put = Put(b"/coreos.com/network/subnets/10.1.20.0-24", value.encode())
    cluster.etcd.put(put)
    assert "0e:f1:0a:01:14:00" in cluster["node1"].sh("ip neigh show dev flannel.1")
    cluster.stop_flanneld("node2")
    cluster.etcd.put(put)
    assert "0e:00:00:00:00:99" in cluster["node1"].sh("ip neigh show dev flannel.1")
    assert not talks(cluster), "node2's own flannel.1 has another"


def test_direct_routing_and_other_options_of_vxlan() -> None:
    spec = example_spec("vxlan")
    options = (("VNI", 7), ("Port", 4789), ("DirectRouting", True))
    cluster = Cluster(spec._replace(network=spec.network._replace(backend_options=options)))
    node1 = cluster["node1"]
    assert node1.devices["flannel.7"].vxlan is not None
    assert node1.devices["flannel.7"].vxlan[::2] == (7, 4789)
    assert "10.1.20.0/24 via 192.168.66.12 dev eth0" in node1.sh("ip route")
    assert node1.vxlan_fdb == {}
    assert talks(cluster)


WRONG = {
    "subnet too small": ({"subnet_len": 31}, "SubnetLen must be less than /31"),
    "network too small": (
        {"pod_network": Prefix.parse("10.1.15.0/29"), "subnet_manager": "etcd"},
        "network is too small. Minimum useful network prefix is /28"),
    "limits": ({"subnet_min": "10.9.0.0"}, "SubnetMin is not in the range of the Network"),
    "never leased": ({"subnet_min": "10.1.16.0", "subnet_manager": "etcd"},
                     "node1: flannel over etcd never leases 10.1.15.0/24"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_a_spec_with_which_flanneld_would_not_start(changes: dict[str, object], says: str) -> None:
    spec = example_spec()
    with pytest.raises(BadManifest, match=says):
        Cluster(spec._replace(network=spec.network._replace(**changes)))


def test_the_verbs_refuse_what_makes_no_sense() -> None:
    cluster = Cluster.example()
    kube = Cluster.example(flanneld="--kube-subnet-mgr")
    for act, says in (
        (lambda: cluster.start_flanneld("node1"), "runs on node1 already"),
        (lambda: cluster.stop_flanneld("web1"), "no node called 'web1'"),
        (lambda: cluster.restart_flanneld("node1", "--ip-mask"), "flag provided but not defined"),
        (lambda: kube.cut_from_etcd("node1"), "no leases in etcd"),
    ):
        with pytest.raises(K8sNetError, match=says):
            act()
    assert cluster.flanneld("node1").running


def test_the_kubernetes_subnet_manager() -> None:
    """The podCIDR is the lease, annotations say the rest, and nothing ever expires."""
    cluster = Cluster.example("vxlan", flanneld="--ip-masq --kube-subnet-mgr")
    assert talks(cluster)
    api = api_server(cluster.network)
    notes = dict(api.get(Node, "", "node1").annotations)
    assert notes["flannel.alpha.coreos.com/public-ip"] == "192.168.66.11"
    assert notes["flannel.alpha.coreos.com/backend-type"] == "vxlan"
    cluster.stop_flanneld("node2")
    cluster.advance("100h")
    assert "10.1.20.0/24" in cluster["node1"].sh("ip route")
    twin = cluster.clone()
    api.delete(Node, "", "node2")
    assert "10.1.20.0/24" not in cluster["node1"].sh("ip route")
    assert "10.1.20.0/24" in twin["node1"].sh("ip route")
    cluster.start_flanneld("node2")
    assert said(cluster, "node2", 'failed to acquire lease: node "node2" not found')
    node1 = api.get(Node, "", "node1")
    api.put(node1._replace(name="node2", pod_cidr=NO_RANGE, annotations=()))
    cluster.advance("5s")
    assert said(cluster, "node2", 'node "node2" pod cidr not assigned')


def test_kubeadm_and_flannel_disagree_on_the_range() -> None:
    """CIDR: the Node's range is outside flannel's Network, and flanneld says so."""
    spec = example_spec("vxlan", flanneld="--kube-subnet-mgr")
    network = spec.network._replace(pod_network=Prefix.parse("10.244.0.0/16"))
    cluster = Cluster(spec._replace(network=network))
    assert said(cluster, "node1", 'doesn\'t contain "10.1.15.0/24" PodCIDR of the "node1" node')
    assert not talks(cluster)
