"""What the readers of kube-proxy's cases share: their options, and the objects they apply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from k8snetlib.kube.api import Endpoint, EndpointSlice, Service
from k8snetlib.kube.fields import Fields, Place
from k8snetlib.kube.proxy.config import Detector, NodePortAddresses, ProxyConfig
from k8snetlib.kube.proxy.state import EndpointsMap, ServiceMap, endpoints_map, service_map
from k8snetlib.kube.service_objects import endpoint_slice, service
from tests.conformance.case import Case, NotUnderstood, known

ORIGIN = {"id", "test", "file", "case", "note"}
OPTIONS = {
    "ipFamily", "podCIDR", "localDetector", "nodeName", "nodeIP", "nodeIPs", "masqueradeAll",
    "masqueradeMark", "localhostNodePorts", "nodePortAddresses", "nfacctCounters", "randomFully",
    "conntrackTCPLiberal", "featureLoadBalancerIPMode", "syncPeriodSeconds", "nodeLabels",
}  # fmt: skip
#: The fields of an object that mean something here; a list's or mapping's own stand behind a dot.
SERVICE = {
    "": {"metadata", "spec", "status", "apiVersion", "kind"},
    "metadata": {"namespace", "name", "labels", "annotations"},
    "spec": {
        "type", "clusterIP", "ports", "externalIPs", "externalTrafficPolicy", "loadBalancerIP",
        "internalTrafficPolicy", "healthCheckNodePort", "loadBalancerSourceRanges", "selector",
        "sessionAffinity", "sessionAffinityConfig", "externalName", "ipFamilies",
    },
    "spec.ports": {"name", "port", "protocol", "nodePort", "targetPort"},
    "spec.sessionAffinityConfig": {"clientIP"},
    "spec.sessionAffinityConfig.clientIP": {"timeoutSeconds"},
    "status": {"loadBalancer"},
    "status.loadBalancer": {"ingress"},
    "status.loadBalancer.ingress": {"ip", "ipMode"},
}  # fmt: skip
SLICE = {
    "": {
        "metadata",
        "addressType",
        "endpoints",
        "ports",
        "endpointsGenerated",
        "apiVersion",
        "kind",
    },
    "metadata": {"namespace", "name", "labels", "annotations"},
    "endpoints": {"addresses", "nodeName", "conditions", "hints", "zone", "targetRef", "hostname"},
    "endpoints.conditions": {"ready", "serving", "terminating"},
    "endpoints.hints": {"forZones"},
    "ports": {"name", "port", "protocol"},
    "endpointsGenerated": {"generator", "count", "pattern"},
}


def config(options: Mapping[str, Any]) -> ProxyConfig:
    """kube-proxy's options of a case; a field that nobody knows is not understood."""
    known(options, OPTIONS)
    detectors = {"ByCIDR": Detector("CIDR", options["podCIDR"]), "None": Detector()}
    if options["localDetector"] not in detectors:
        raise NotUnderstood(f"localDetector {options['localDetector']}")
    return ProxyConfig(
        node=options["nodeName"],
        node_ip=options["nodeIP"],
        node_ips=tuple(options["nodeIPs"]),
        labels=tuple(options.get("nodeLabels", {}).items()),
        family=options["ipFamily"],
        detector=detectors[options["localDetector"]],
        masquerade_all=options["masqueradeAll"],
        masquerade_bit=int(options["masqueradeMark"], 0).bit_length() - 1,
        random_fully=options["randomFully"],
        localhost_node_ports=options["localhostNodePorts"],
        node_port_addresses=NodePortAddresses(tuple(options["nodePortAddresses"])),
        tcp_liberal=options["conntrackTCPLiberal"],
        nfacct=frozenset(options["nfacctCounters"]),
        sync_period=float(options.get("syncPeriodSeconds", 30)),
    )


class Objects:
    """The Services and EndpointSlices that a case has applied so far."""

    def __init__(self, node: str, family: str = "IPv4", *, ip_mode: bool = True) -> None:
        self.node, self.family, self.ip_mode = node, family, ip_mode
        self.services: dict[tuple[str, str], Service] = {}
        self.slices: dict[tuple[str, str], EndpointSlice] = {}

    def apply(self, op: Mapping[str, Any]) -> bool:
        """One operation; False if it is none of these."""
        verb = op["op"]
        if verb in ("addService", "updateService"):
            known(op, {"op", "object", "comment"})
            made = service_of(op["object"], ip_mode=self.ip_mode)
            self.services[made.namespace, made.name] = made
        elif verb in ("addEndpointSlice", "updateEndpointSlice"):
            known(op, {"op", "object", "comment"})
            found = slice_of(op["object"])
            self.slices[found.namespace, found.name] = found
        elif verb in ("deleteService", "deleteEndpointSlice"):
            known(op, {"op", "ref", "comment"})
            known(op["ref"], {"namespace", "name"})
            objects: dict[tuple[str, str], Any]
            objects = self.services if verb == "deleteService" else self.slices
            del objects[op["ref"]["namespace"], op["ref"]["name"]]
        else:
            return False
        return True

    @property
    def maps(self) -> tuple[ServiceMap, EndpointsMap]:
        """What kube-proxy makes of them."""
        services = service_map(self.services.values(), self.family)
        return services, endpoints_map(self.slices.values(), self.node, self.family)


def _check(value: Any, fields: Mapping[str, set[str]], at: str = "") -> None:
    """Every field of an object, however deep, is one that is read here."""
    if isinstance(value, list):
        for one in value:
            _check(one, fields, at)
    elif isinstance(value, Mapping) and at in fields:
        known(value, fields[at])
        for key, inner in value.items():
            _check(inner, fields, f"{at}.{key}" if at else key)


def _fields(document: Mapping[str, Any]) -> Fields:
    return Fields(document, Place("case", 1))


def service_of(document: Mapping[str, Any], *, ip_mode: bool = True) -> Service:
    """A Service. Upstream's own tests leave out what the API server would insist on (a port); and
    without the feature of ``ipMode`` it would drop that field."""
    _check(document, SERVICE)
    spec = dict(document["spec"])
    spec["ports"] = [
        {**p, "port": p.get("port") or p.get("targetPort") or 1} for p in spec.get("ports") or []
    ]
    made = service(_fields({**document, "spec": spec}))
    if not ip_mode:
        made = made._replace(ingress=tuple(i._replace(mode="VIP") for i in made.ingress))
    return made


def slice_of(document: Mapping[str, Any]) -> EndpointSlice:
    """An EndpointSlice; ``endpointsGenerated`` stands for many endpoints without a node."""
    _check(document, SLICE)
    found = endpoint_slice(_fields({"addressType": "IPv4", **document}))
    generated = document.get("endpointsGenerated")
    if generated is None:
        return found
    addresses = _generated(generated["pattern"], generated["count"])
    return found._replace(endpoints=tuple(Endpoint(ip) for ip in addresses))


def _generated(pattern: str, count: int) -> Iterable[str]:
    for i in range(count):
        text = pattern.replace("{i%256}", str(i % 256)).replace("{i//256}", str(i // 256))
        text = text.replace("{i}", str(i))
        if "{" in text:
            raise NotUnderstood(f"the pattern {pattern}")
        yield text


def cases_in_steps(
    document: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Any]
) -> Iterator[Case]:
    """A case for each test of a file whose tests are options and steps. ``make(test)`` sets one up;
    it then takes every step (``step``) and counts what it asserted (``count``)."""
    known(document, {"source", "schema", "tests", "note"})
    for test in document["tests"]:
        yield Case(str(test["id"]).replace(" ", "-"), lambda t=test: _in_steps(t, make))


def _in_steps(
    test: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Any]
) -> tuple[int, tuple[str, ...]]:
    known(test, ORIGIN | {"options", "steps", "derived", "origin"})
    run = make(test)
    for step in test["steps"]:
        run.step(step)
    return run.count, ()
