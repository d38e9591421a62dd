"""What the cases of ``kubeproxy_ipvs*.json`` ask besides whole syncs: one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from k8snetlib.errors import K8sNetError
from k8snetlib.kube.proxy import ipvs_rules
from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, ProxyConfig
from k8snetlib.kube.proxy.ipvs import Proxier, check_usable, delete_legacy, ensure_service
from k8snetlib.kube.proxy.ipvs_plan import (
    DEVICE,
    Wanted,
    is_node_address,
    node_addresses,
    of_family,
)
from k8snetlib.kube.proxy.ipvs_sets import SETS
from k8snetlib.linux.ipvs.table import Ipvs, VirtualServer
from k8snetlib.linux.netns import Device, Netns
from tests.conformance.case import NotUnderstood, known

ABOUT = {"id", "test", "file", "case", "note", "comment", "origin", "derived"}
OPTIONS = {
    "ipFamily", "scheduler", "nodeName", "nodeIP", "localDetector", "podCIDR", "masqueradeAll",
    "nodeAddresses", "nodePortAddresses", "featureLoadBalancerIPMode", "randomFully",
    "excludeCIDRs", "nodeIPs", "masqueradeMark", "strictARP",
}  # fmt: skip
PERSISTENT = 10_800


def config_of(options: Mapping[str, Any]) -> ProxyConfig:
    """The options as kube-proxy has them."""
    known(options, OPTIONS)
    family = options.get("ipFamily", "IPv4")
    detector = Detector()
    if options.get("localDetector", "None") not in ("None", None):
        detector = Detector("CIDR", options["podCIDR"])
    return ProxyConfig(
        options.get("nodeName", "test-node"), options.get("nodeIP", "") or "",
        tuple(options.get("nodeAddresses") or options.get("nodeIPs") or ()), family=family, detector=detector,
        masquerade_all=options.get("masqueradeAll", False),
        random_fully=options.get("randomFully", True),
        node_port_addresses=NodePortAddresses(tuple(options.get("nodePortAddresses") or ())),
        scheduler=options.get("scheduler") or "rr",
        masquerade_bit=int(options.get("masqueradeMark", "0x4000"), 0).bit_length() - 1,
        strict_arp=options.get("strictARP", False),
        exclude_cidrs=of_family(options.get("excludeCIDRs") or (), family),
    )  # fmt: skip


def key_of(one: Mapping[str, Any]) -> tuple[str, str, int]:
    return one["protocol"].lower(), one["address"], one["port"]


def compare_fields(virtual: VirtualServer, wanted: Mapping[str, Any]) -> None:
    """Compares the fields that the case has."""
    for name, value in wanted.items():
        if name in ("address", "port", "protocol"):
            found: Any = {"address": virtual.ip, "port": virtual.port,
                          "protocol": virtual.proto.upper()}[name]  # fmt: skip
        elif name == "scheduler":
            found = virtual.scheduler
        elif name.lower().endswith(("timeout", "timeoutseconds")):
            found = virtual.persistent
        elif name == "persistent" and isinstance(value, bool):
            found = bool(virtual.persistent)
        elif name == "flags":
            _flags(virtual, value)
            continue
        elif name == "realServers":
            servers = sorted(value, key=lambda s: (s["address"], s["port"]))
            found = [{"address": s.ip, "port": s.port, "weight": s.weight} for s in
                     sorted(virtual.servers, key=lambda s: (s.ip, s.port))]  # fmt: skip
            value = [{"weight": 1} | server for server in servers]
        else:
            raise NotUnderstood(f"field {name} of a virtual server")
        assert found == value, f"{virtual}: {name}"


def _flags(virtual: VirtualServer, wanted: Any) -> None:
    """Flags by their names: hashed is on every virtual server."""
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    found = {"persistent": bool(virtual.persistent), "hashed": not virtual.persistent,
             "sourceHash": "mh-port" in virtual.flags}  # fmt: skip
    for name in names:
        plain = "".join(c for c in name.lower() if c.isalpha()).removeprefix("flag")
        key = {"persistent": "persistent", "hashed": "hashed", "sourcehash": "sourceHash"}.get(
            plain
        )
        if key is None:
            raise NotUnderstood(f"flag {name}")
        assert found[key], f"{virtual}: {name}"


# -- one function each ----------------------------------------------------------------------------


def _node_ips(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"ipv6", "deviceAddresses", "expectNodeIPs"})
    found = node_addresses(case["deviceAddresses"], "IPv6" if case["ipv6"] else "IPv4")
    assert sorted(found) == sorted(case["expectNodeIPs"])
    return 1


def _valid(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"ipv6", "ip", "expectValid"})
    found = is_node_address(case["ip"], "IPv6" if case["ipv6"] else "IPv4")
    assert found is case["expectValid"]
    return 1


def _cidrs(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"ipv6", "cidrs", "expectCIDRs"})
    found = of_family(case["cidrs"], "IPv6" if case["ipv6"] else "IPv4")
    assert list(found) == case["expectCIDRs"]
    return 1


class _Failing(Ipvs):
    """A kernel in which one call fails."""

    call: str | None = None

    def _fail(self, call: str) -> None:
        if call == self.call:
            raise K8sNetError(f"{call} failed.")

    def virtual_servers(self) -> list[VirtualServer]:
        self._fail("GetVirtualServers")
        return super().virtual_servers()

    def add(self, service: VirtualServer) -> VirtualServer:
        self._fail("AddVirtualServer")
        return super().add(service)

    def delete(self, key: tuple[str, str, int]) -> None:
        self._fail("DeleteVirtualServer")
        super().delete(key)


def _usable(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"scheduler", "ipsetVersion", "ipsetError", "failingIpvsCall",
                         "expectUsable"})  # fmt: skip
    ipvs = _Failing(Netns("node").ruleset)
    ipvs.call = case["failingIpvsCall"]
    if ipvs.call not in (None, "GetVirtualServers", "AddVirtualServer", "DeleteVirtualServer"):
        raise NotUnderstood(f"call {ipvs.call}")
    version = None if case["ipsetError"] else case["ipsetVersion"]
    try:
        check_usable(ipvs, version, case["scheduler"] or "")
    except K8sNetError:
        assert not case["expectUsable"]
        return 1
    assert case["expectUsable"]
    assert not ipvs.services, "the probe is taken away again"
    return 2


def _made(case: Mapping[str, Any]) -> Wanted:
    known(case, {"address", "port", "protocol", "scheduler", "flags", "timeout"})
    flags = case.get("flags", "hashed")
    seconds = case.get("timeout") or (PERSISTENT if "persistent" in flags else 0)
    return Wanted(seconds, frozenset(), False, ())


def _sync_service(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"oldVirtualServer", "newVirtualServer", "bindAddress", "alreadyBound",
                         "expectExactlyOneVirtualServer"})  # fmt: skip
    ns = Netns("node", "node")
    ns.add_device(Device(DEVICE, "dummy", up=False))
    old, new = case["oldVirtualServer"], case["newVirtualServer"]
    if old is not None:
        ensure_service(ns, key_of(old), old["scheduler"], _made(old))
    wanted = _made(new)._replace(bound=case["bindAddress"])
    already = set(case["alreadyBound"] or ())
    ensure_service(ns, key_of(new), new["scheduler"], wanted, already)
    bound = {a.ip for a in ns.devices[DEVICE].addresses}
    bind = case["bindAddress"] and new["address"] not in already and "." in new["address"]
    assert bound == ({new["address"]} if bind else set())
    (found,) = ns.ipvs.virtual_servers()
    compare_fields(found, case["expectExactlyOneVirtualServer"])
    return 2


def _legacy(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"options", "currentVirtualServers", "realServers", "activeVirtualServers",
                         "expectRemaining", "expectRemainingRealServers"})  # fmt: skip
    ipvs = Netns("node").ipvs
    names = {key_of(one): name for name, one in case["currentVirtualServers"].items()}
    for key, name in names.items():
        ipvs.add(VirtualServer(*key, case["currentVirtualServers"][name]["scheduler"]))
        for text in case.get("realServers", {}).get(name, []):
            ip, _, port = text.rpartition(":")
            ipvs.add_server(key, ip.strip("[]"), int(port))
    active = {key: None for key, name in names.items() if name in case["activeVirtualServers"]}
    delete_legacy(ipvs, active, config_of(case["options"]))
    assert sorted(names[key] for key in ipvs.services) == sorted(case["expectRemaining"])
    left = case.get("expectRemainingRealServers", {})
    found = {names[key]: sorted(map(str, v.servers)) for key, v in ipvs.services.items()}
    if isinstance(left, Mapping):
        assert {name: found[name] for name in left} == {n: sorted(v) for n, v in left.items()}
    else:
        servers = sorted(s for some in found.values() for s in some)
        assert (len(servers) if isinstance(left, int) else servers) == (
            left if isinstance(left, int) else sorted(left)
        )
    return 1 + ("expectRemainingRealServers" in case)


def _declared(case: Mapping[str, Any]) -> int:
    known(case, ABOUT | {"expectChainsDeclared"})
    found = {table: list(chains) for table, chains in ipvs_rules.CHAINS.items()}
    assert found == case["expectChainsDeclared"]
    ns = Netns("node", "node")
    Proxier(ns, ProxyConfig("node", "192.168.66.11")).sync({}, {})
    for table, chains in case["expectChainsDeclared"].items():
        assert set(chains) <= set(ns.ruleset.tables[table])
    assert set(SETS) == set(ns.ipsets)
    return 1


#: By the field that only these cases have.
FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
    "expectNodeIPs": _node_ips,
    "expectValid": _valid,
    "expectCIDRs": _cidrs,
    "expectUsable": _usable,
    "expectExactlyOneVirtualServer": _sync_service,
    "expectRemaining": _legacy,
    "expectChainsDeclared": _declared,
}
