"""``ip`` and ``bridge`` on a VXLAN device; tests/kernel/test_vxlan_real.py asks the real tools."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand

OLD, NEW = "0e:f1:0a:01:14:00", "0e:f1:0a:01:14:99"


def entries(cluster: Cluster) -> list[str]:
    return cluster["node1"].sh("bridge fdb show dev flannel.1").splitlines()


def test_an_entry_is_added_replaced_and_deleted() -> None:
    cluster = Cluster.example("vxlan")
    node1 = cluster["node1"]
    before = entries(cluster)
    assert before == [
        f"{OLD} dst 192.168.66.12 self permanent",
        "0e:f1:0a:01:1e:00 dst 192.168.66.13 self permanent",
    ]
    node1.sh(f"bridge fdb add {NEW.upper()} dev flannel.1 dst 192.168.66.12 self permanent")
    assert f"{NEW} dst 192.168.66.12 self permanent" in entries(cluster)
    node1.sh(f"bridge fdb append {NEW} dev flannel.1 dst 192.168.66.12")
    node1.sh(f"bridge fdb replace {NEW} dev flannel.1 dst 192.168.66.13")
    assert f"{NEW} dst 192.168.66.13 self permanent" in entries(cluster)
    node1.sh(f"bridge fdb del {NEW} dev flannel.1 dst 192.168.66.12")
    assert f"{NEW} dst 192.168.66.13 self permanent" in entries(cluster), "another node's entry"
    node1.sh(f"bridge fdb del {NEW} dev flannel.1")
    assert entries(cluster) == before


def test_where_the_entries_are_listed() -> None:
    """Among all of the namespace, with the device's name; not among a bridge's, nor a port's."""
    node1 = Cluster.example("vxlan")["node1"]
    line = f"{OLD} dev flannel.1 dst 192.168.66.12 self permanent"
    assert line in node1.sh("bridge fdb").splitlines()
    assert "dst" not in node1.sh("bridge fdb show br docker0")
    assert "dst" not in node1.sh("bridge fdb show dev veth-web1")


def test_what_is_not_modelled_is_said() -> None:
    node1 = Cluster.example("vxlan")["node1"]
    for command, said in {
        f"bridge fdb append {OLD} dev flannel.1 dst 192.168.66.13": "Two nodes behind one MAC",
        f"bridge fdb add {NEW} dev docker0 dst 192.168.66.13": "modelled for VXLAN devices",
        f"bridge fdb add {NEW} dev flannel.1 dst 192.168.66.13 static": "'static' is not modelled",
        f"ip link set lo address {NEW}": "is not modelled",
    }.items():
        with pytest.raises(BadCommand, match=said):
            node1.sh(command)


def test_a_tunnel_s_mtu_leaves_room_for_the_outer_headers() -> None:
    """vxlan_change_mtu(): eth0 takes 1500, and 50 of them are the outer headers'."""
    node1 = Cluster.example("vxlan")["node1"]
    node1.sh("ip link set flannel.1 mtu 1450")
    with pytest.raises(BadCommand, match="Invalid argument"):
        node1.sh("ip link set flannel.1 mtu 1451")
    node1.sh("ip link set eth0 mtu 1501; ip link set flannel.1 mtu 1451")
    assert " mtu 1451 " in node1.sh("ip link show flannel.1")


def test_details_are_of_the_vxlan_device_only() -> None:
    node1 = Cluster.example("vxlan")["node1"]
    shown = node1.sh("ip -d link show flannel.1")
    assert "vxlan id 1 local 192.168.66.11 dev eth0 srcport 0 0 dstport 8472 nolearning" in shown
    assert node1.sh("ip -d link show eth0") == node1.sh("ip link show eth0")
    assert "vxlan" not in node1.sh("ip link show flannel.1")


def test_a_bridge_port_s_new_mac_is_the_bridge_s_own() -> None:
    node1 = Cluster.example("vxlan")["node1"]
    node1.sh(f"ip link set veth-web1 address {NEW}")
    assert node1.sh("bridge fdb show dev veth-web1").splitlines() == [
        f"{NEW} master docker0 permanent"
    ]
