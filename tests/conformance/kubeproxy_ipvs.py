"""Reads ``kubeproxy_ipvs*.json``: virtual servers, sets, chains and addresses of IPVS mode.

Cases with inputs run a real ``Proxier`` on a namespace; the others ask one function each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from k8snetlib.kube.api import Service
from k8snetlib.kube.fields import Fields, Place
from k8snetlib.kube.proxy import ipvs_rules
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.ipvs import Proxier
from k8snetlib.kube.proxy.ipvs_plan import DEVICE
from k8snetlib.kube.proxy.ipvs_sets import set_name
from k8snetlib.kube.proxy.state import endpoints_map, service_map, with_port
from k8snetlib.kube.service_objects import endpoint_slice, service
from k8snetlib.linux.ipset import TYPES
from k8snetlib.linux.ipvs.table import VirtualServer
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netns import Device, Netns
from tests.conformance.case import Case, NotUnderstood, known
from tests.conformance.ipvsfunctions import (
    ABOUT,
    FUNCTIONS,
    compare_fields,
    config_of,
    key_of,
)

PLACE = Place("case", 1)


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each entry."""
    known(document, {"source", "note", "tests"})
    for n, case in enumerate(document["tests"]):
        name = str(case.get("id", n)).replace(" ", "-")
        yield Case(f"{n}-{name}", lambda case=case: (_run(case), ()))


def _run(case: Mapping[str, Any]) -> int:
    kind = next((kind for kind in FUNCTIONS if kind in case), None)
    if "apply" in case or "steps" in case:
        return _Cluster(case).run()
    if kind is None:
        raise NotUnderstood(f"fields {sorted(set(case) - ABOUT)}")
    return FUNCTIONS[kind](case)


# -- a proxier on a node --------------------------------------------------------------------------


def namespace(config: ProxyConfig) -> Netns:
    """The node: its IPv4 addresses on one device."""
    ns = Netns("node", "node")
    ns.add_device(Device("eth0", "veth"))
    for ip in config.node_ips:
        if "." in ip:
            ns.add_address("eth0", f"{ip}/32")
    return ns


class _Cluster:
    """The objects of a case, and the proxier that sees them."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        expectations = {k for k in case if k.startswith(("expect", "derived"))}
        known(case, ABOUT | {"options", "apply", "steps"} | expectations)
        self.case = case
        options = case.get("options", {})
        self.config = config_of(options)
        self.vip_only = options.get("featureLoadBalancerIPMode") is not False
        self.ns = namespace(self.config)
        self.proxier = Proxier(self.ns, self.config)
        self.services: dict[tuple[str, str], Any] = {}
        self.slices: dict[tuple[str, str], Any] = {}

    def run(self) -> int:
        """Applies every step, syncs, and compares; returns how many expectations there were."""
        count = 0
        for step in self.case.get("steps") or [self.case]:
            for op in step.get("apply", []):
                self._apply(op)
            self._sync()
            expected = {k: v for k, v in step.items() if k.startswith(("expect", "derived"))}
            known(step, ABOUT | {"apply", "options"} | set(expected))
            count += self._compare(expected)
        assert count, "nothing is expected"
        return count

    def _sync(self) -> None:
        family = self.config.family
        services = service_map(self.services.values(), family)
        self.proxier.sync(
            services, endpoints_map(self.slices.values(), self.config.node, family)
        )  # fmt: skip

    def _apply(self, op: Mapping[str, Any]) -> None:
        what = op["op"]
        if what in ("addService", "updateService"):
            made = _service(op["object"])
            if not self.vip_only:
                made = made._replace(ingress=tuple(i._replace(mode="VIP") for i in made.ingress))
            self.services[made.namespace, made.name] = made
        elif what in ("addEndpointSlice", "updateEndpointSlice"):
            slice_ = endpoint_slice(Fields(op["object"], PLACE))
            self.slices[slice_.namespace, slice_.name] = slice_
        elif what in ("deleteService", "deleteEndpointSlice"):
            gone = self.services if what == "deleteService" else self.slices
            del gone[op["ref"]["namespace"], op["ref"]["name"]]
        elif what == "setRealServerWeights":
            self._sync()
            for virtual in self.ns.ipvs.virtual_servers():
                for server in virtual.servers:
                    self.ns.ipvs.edit_server(virtual.key, server.ip, server.port, op["weight"])
        elif what == "restartProxier":
            self.proxier = Proxier(self.ns, self.config)
        else:
            raise NotUnderstood(f"op {what}")

    def _compare(self, expected: Mapping[str, Any]) -> int:
        for name, wanted in expected.items():
            look: Callable[[Any], None] | None = getattr(self, f"_{_snake(name)}", None)
            if look is None:
                raise NotUnderstood(f"expectation {name}")
            look(wanted)
        return len(expected)

    # Each of these compares one expectation.

    def _expect_virtual_servers(self, wanted: list[Mapping[str, Any]]) -> None:
        found = self.ns.ipvs.virtual_servers()
        assert len(found) == len(wanted)
        for one in wanted:
            virtual = self.ns.ipvs.service(key_of(one))
            compare_fields(virtual, one)

    def _expect_virtual_server_count(self, wanted: int) -> None:
        assert len(self.ns.ipvs.services) == wanted

    def _expect_virtual_server_keys(self, wanted: list[Any]) -> None:
        named = {_name(v) for v in self.ns.ipvs.virtual_servers()}
        assert named == {w if isinstance(w, str) else _name_of(w) for w in wanted}

    def _expect_real_servers(self, wanted: Mapping[str, list[str]]) -> None:
        virtual = {_name(v): v for v in self.ns.ipvs.virtual_servers()}
        for name, servers in wanted.items():
            assert name in virtual, f"{name} is no virtual server: {sorted(virtual)}"
            found = sorted(str(s) for s in virtual[name].servers if s.weight)
            assert found == sorted(servers), name

    _derived_real_servers = _expect_real_servers

    def _expect_all_virtual_servers(self, wanted: Mapping[str, Any]) -> None:
        assert self.ns.ipvs.services
        for virtual in self.ns.ipvs.virtual_servers():
            compare_fields(virtual, wanted)

    def _expect_ip_sets(self, wanted: Mapping[str, list[Mapping[str, Any]]]) -> None:
        for name, entries in wanted.items():
            found = self._set(name)
            assert found.entries == {_entry(found.kind, e) for e in entries}, name

    def _expect_ip_set_entries(self, wanted: Mapping[str, list[str]]) -> None:
        for name, entries in wanted.items():
            assert sorted(self._set(name).entries) == sorted(entries), name

    def _set(self, name: str) -> Any:
        sets = self.ns.ipsets
        return sets[name] if name in sets else sets[set_name(name, self.config.family)]

    def _lines(self) -> dict[str, dict[str, list[str]]]:
        assert self.proxier.plan is not None
        made = ipvs_rules.rules(self.config, self.proxier.plan)
        if self.config.family == "IPv4":
            tables = self.ns.ruleset.tables
            for table, chains in made.items():
                for chain, texts in chains.items():
                    assert tables[table][chain].rules == tuple(map(parse_rule, texts))
        return made

    def _chain(self, name: str) -> list[dict[str, str]]:
        """A chain's rules over both tables, as far as the cases look at them."""
        texts = [text for chains in self._lines().values() for text in chains.get(name, [])]
        return [_seen(text) for text in texts]

    def _expect_chains(self, wanted: Mapping[str, list[Mapping[str, str]]]) -> None:
        for name, rules in wanted.items():
            assert self._chain(name) == [dict(rule) for rule in rules], name

    def _expect_first_rule(self, wanted: Mapping[str, Any]) -> None:
        fields = dict(wanted)
        if "chain" in fields:
            fields = {fields.pop("chain"): fields}
        for name, rule in fields.items():
            found = self._chain(name)[0]
            known(rule, {"jump", "source", "matchSet"})
            assert {k: found.get(k) for k in rule} == dict(rule)

    def _expect_postrouting_masquerade(self, wanted: Mapping[str, bool]) -> None:
        known(wanted, {"present", "randomFully"})
        rules = self._lines()["nat"]["KUBE-POSTROUTING"]
        found = [text for text in rules if "-j MASQUERADE" in text and "--match-set" not in text]
        assert bool(found) is wanted["present"]
        assert any("--random-fully" in text for text in found) is wanted["randomFully"]

    def _expect_bound_addresses(self, wanted: list[str]) -> None:
        assert self.proxier.plan is not None
        assert sorted(self.proxier.plan.bound) == sorted(wanted)
        if self.config.family == "IPv4":
            bound = [address.ip for address in self.ns.devices[DEVICE].addresses]
            assert sorted(bound) == sorted(wanted)

    def _expect_no_local_endpoints_internal(self, wanted: int) -> None:
        assert self.proxier.plan is not None
        assert len(self.proxier.plan.no_local_internal) == wanted

    def _expect_no_local_endpoints_external(self, wanted: int) -> None:
        assert self.proxier.plan is not None
        assert len(self.proxier.plan.no_local_external) == wanted


def _snake(name: str) -> str:
    """``expectIPSets`` is compared by ``_expect_ip_sets``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _service(document: Mapping[str, Any]) -> Service:
    """A Service; some cases have a port 0, which no API server would take."""
    ports = document["spec"].get("ports", [])
    taken = [port | {"port": port["port"] or 1} for port in ports]
    made = service(Fields(document | {"spec": document["spec"] | {"ports": taken}}, PLACE))
    numbers = tuple(
        made_port._replace(port=port["port"])
        for made_port, port in zip(made.ports, ports, strict=True)
    )
    return made._replace(ports=numbers)


def _seen(text: str) -> dict[str, str]:
    words = text.split()
    found = {"jump": words[words.index("-j") + 1]}
    if "--match-set" in words:
        found["matchSet"] = words[words.index("--match-set") + 1]
    if "-s" in words and words[words.index("-s") - 1 : words.index("-s")] != ["!"]:
        found["source"] = words[words.index("-s") + 1]
    return found


def _entry(kind: str, entry: Mapping[str, Any]) -> str:
    fields = {key.lower(): value for key, value in entry.items()}
    known(fields, {"ip", "port", "protocol", "settype", "ip2", "net"})
    assert fields.get("settype", kind) == kind
    port = f"{fields.get('protocol', 'tcp').lower()}:{fields.get('port')}"
    if kind == "bitmap:port":
        return str(fields["port"])
    words = {"ip": fields.get("ip"), "port": port, "net": fields.get("net")}
    parts = [words[part] for part in TYPES[kind]]
    if kind == "hash:ip,port,ip":
        parts[2] = fields["ip2"]
    return ",".join(map(str, parts))


def _name(virtual: VirtualServer) -> str:
    return f"{with_port(virtual.ip, virtual.port)}/{virtual.proto.upper()}"


def _name_of(one: Mapping[str, Any]) -> str:
    return f"{with_port(one['address'], one['port'])}/{one['protocol']}"
