"""What lives here: Services and EndpointSlices as documents: read into values, and written again.

A field that is missing has the API server's default; what would not pass its validation is refused
with file, line and field. Addresses may be of both families: the proxy's own tests use IPv6.

What may not live here: which pods a Service selects (see ``endpoint_slices``).

Source: the Kubernetes API, core/v1 Service and discovery.k8s.io/v1 EndpointSlice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from k8snetlib.kube.api import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Service,
    ServicePort,
)
from k8snetlib.kube.fields import Fields

TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
PROTOCOLS = ("TCP", "UDP", "SCTP")
POLICIES = ("Cluster", "Local")
#: How long an affinity to a client lasts, in seconds, where nobody says.
AFFINITY_SECONDS = 10_800
SERVICE_LABEL = "kubernetes.io/service-name"

Object = dict[str, Any]


def metadata_of(doc: Fields) -> tuple[str, str]:
    """Namespace and name."""
    metadata = doc.fields("metadata")
    return metadata.text("namespace", "default"), metadata.text("name")


# -- reading --------------------------------------------------------------------------------------


def service(doc: Fields) -> Service:
    """The value of a Service; raises ``BadManifest``."""
    namespace, name = metadata_of(doc)
    spec = doc.fields("spec")
    kind = spec.one_of("type", TYPES, "ClusterIP")
    affinity = spec.one_of("sessionAffinity", ("None", "ClientIP"), "None")
    client = spec.fields("sessionAffinityConfig", optional=True).fields("clientIP", optional=True)
    seconds = client.number("timeoutSeconds", 1, 86_400, AFFINITY_SECONDS)
    status = doc.fields("status", optional=True).fields("loadBalancer", optional=True)
    return Service(
        name=name,
        cluster_ip="" if kind == "ExternalName" else _cluster_ip(spec),
        ports=_service_ports(spec, kind),
        namespace=namespace,
        type=kind,
        external_traffic_policy=spec.one_of("externalTrafficPolicy", POLICIES, "Cluster"),
        internal_traffic_policy=spec.one_of("internalTrafficPolicy", POLICIES, "Cluster"),
        selector=spec.pairs("selector"),
        external_ips=tuple(_address(spec, "externalIPs", ip) for ip in spec.texts("externalIPs")),
        ingress=tuple(
            Ingress(_address(at, "ip", at.text("ip")), at.one_of("ipMode", ("VIP", "Proxy"), "VIP"))
            for at in status.each("ingress")
            if at.has("ip")
        ),
        source_ranges=tuple(
            _range(spec, text.strip()) for text in spec.texts("loadBalancerSourceRanges")
        ),
        affinity_seconds=seconds if affinity == "ClientIP" else 0,
        health_check_node_port=spec.number("healthCheckNodePort", 0, 65535, 0),
        publish_not_ready=spec.flag("publishNotReadyAddresses", False),
        external_name=spec.text("externalName") if kind == "ExternalName" else "",
    )


def _cluster_ip(spec: Fields) -> str:
    text = spec.text("clusterIP", "")
    return text if text in ("", "None") else _address(spec, "clusterIP", text)


def _address(fields: Fields, key: str, text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise fields.error(key, f"is '{text}', which is no address.") from None


def _range(fields: Fields, text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        problem = f"holds '{text}', which is no range of addresses."
        raise fields.error("loadBalancerSourceRanges", problem, "Write 203.0.113.0/24.") from None


def _service_ports(spec: Fields, kind: str) -> tuple[ServicePort, ...]:
    """The ports, with what the API server asks of them together."""
    ports = tuple(spec.each("ports"))
    found = tuple(_each_port(ports))
    if not found and kind != "ExternalName" and spec.text("clusterIP", "") != "None":
        raise spec.error("ports", "is missing or empty.", "Only a headless Service has no port.")
    for at, port in enumerate(found):
        if (port.port, port.proto) in [(other.port, other.proto) for other in found[:at]]:
            problem = f"is {port.port} ({port.proto.upper()}) a second time."
            raise ports[at].error("port", problem, "A Service has each port once.")
    return found


def _each_port(ports: Sequence[Fields]) -> Iterator[ServicePort]:
    seen: set[str] = set()
    for at, port in enumerate(ports):
        name = port.text("name", "")
        if name in seen:
            problem = f"is '{name}' a second time." if name else "is missing."
            hint = "Where a Service has several ports, each needs a name of its own."
            raise port.error("name", problem, hint if at else "")
        seen.add(name)
        number = port.port("port")
        named = isinstance(port.data.get("targetPort"), str)
        target: int | str = 0
        if port.has("targetPort"):
            target = port.text("targetPort") if named else port.number("targetPort", 0, 65535)
        yield ServicePort(
            name, port.one_of("protocol", PROTOCOLS, "TCP").lower(), number, target,
            port.number("nodePort", 0, 65535, 0),
        )  # fmt: skip


def endpoint_slice(doc: Fields) -> EndpointSlice:
    """The value of an EndpointSlice; raises ``BadManifest``. Of an endpoint's addresses only the
    first counts, as for kube-proxy."""
    namespace, name = metadata_of(doc)
    labels = dict(doc.fields("metadata").pairs("labels"))
    family = doc.one_of("addressType", ("IPv4", "IPv6", "FQDN"))
    ports = tuple(
        EndpointPort(
            port.text("name", ""), port.one_of("protocol", PROTOCOLS, "TCP").lower(),
            port.port("port"),
        )
        for port in doc.each("ports")
        if port.has("port")
    )  # fmt: skip
    names = family == "FQDN"
    endpoints = tuple(
        _endpoint(
            endpoint, addresses[0] if names else _address(endpoint, "addresses", addresses[0])
        )
        for endpoint in doc.each("endpoints")
        if (addresses := endpoint.texts("addresses"))
    )
    return EndpointSlice(name, labels.get(SERVICE_LABEL, ""), endpoints, ports, namespace, family)


def _endpoint(fields: Fields, ip: str) -> Endpoint:
    conditions = fields.fields("conditions", optional=True)
    ready = conditions.flag("ready", True)
    target = fields.fields("targetRef", optional=True)
    pod = target.text("name", "") if target.text("kind", "") == "Pod" else ""
    zones = fields.fields("hints", optional=True).each("forZones")
    return Endpoint(
        ip, fields.text("nodeName", ""), pod, ready, conditions.flag("serving", ready),
        conditions.flag("terminating", False), tuple(zone.text("name") for zone in zones),
    )  # fmt: skip


# -- writing --------------------------------------------------------------------------------------


def service_object(service: Service) -> Object:
    """A Service as kubectl prints it; rare fields are left out where they have their default."""
    spec: Object = {"type": service.type}
    if service.external_name:
        spec["externalName"] = service.external_name
    else:
        spec |= {
            "clusterIP": service.cluster_ip,
            "clusterIPs": [service.cluster_ip],
            "ipFamilies": ["IPv6" if ":" in service.cluster_ip else "IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }
    if service.selector:
        spec["selector"] = dict(service.selector)
    spec["ports"] = [_port_object(port) for port in service.ports]
    if service.type in ("NodePort", "LoadBalancer"):
        spec["externalTrafficPolicy"] = service.external_traffic_policy
    spec |= _rare(service)
    found: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": service.namespace},
        "spec": spec,
    }
    if service.ingress:
        balancers = [_ingress(ingress) for ingress in service.ingress]
        found["status"] = {"loadBalancer": {"ingress": balancers}}
    return found


def _rare(service: Service) -> Object:
    found: Object = {}
    if service.internal_traffic_policy != "Cluster":
        found["internalTrafficPolicy"] = service.internal_traffic_policy
    if service.external_ips:
        found["externalIPs"] = list(service.external_ips)
    if service.source_ranges:
        found["loadBalancerSourceRanges"] = list(service.source_ranges)
    if service.affinity_seconds:
        config = {"clientIP": {"timeoutSeconds": service.affinity_seconds}}
        found |= {"sessionAffinity": "ClientIP", "sessionAffinityConfig": config}
    if service.health_check_node_port:
        found["healthCheckNodePort"] = service.health_check_node_port
    if service.type == "LoadBalancer" and not any(port.node_port for port in service.ports):
        found["allocateLoadBalancerNodePorts"] = False
    if service.publish_not_ready:
        found["publishNotReadyAddresses"] = True
    return found


def _ingress(ingress: Ingress) -> Object:
    return {"ip": ingress.ip} if ingress.mode == "VIP" else {"ip": ingress.ip, "ipMode": "Proxy"}


def _port_object(port: ServicePort) -> Object:
    found: Object = {"name": port.name} if port.name else {}
    found |= {"protocol": port.proto.upper(), "port": port.port}
    if port.target_port:
        found["targetPort"] = port.target_port
    return {**found, "nodePort": port.node_port} if port.node_port else found


def slice_object(
    found: EndpointSlice, namespaces: Mapping[tuple[str, str], str] | None = None
) -> Object:
    """An EndpointSlice as kubectl prints it. ``namespaces``: of the pods, by name and address,
    where they differ from the slice's own."""
    spaces = namespaces or {}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": found.name,
            "namespace": found.namespace,
            "labels": {SERVICE_LABEL: found.service},
        },
        "addressType": found.family,
        "endpoints": [
            _endpoint_object(e, spaces.get((e.pod, e.ip), found.namespace)) for e in found.endpoints
        ],
        "ports": [
            {"name": port.name, "protocol": port.proto.upper(), "port": port.port}
            for port in found.ports
        ],
    }


def _endpoint_object(endpoint: Endpoint, namespace: str) -> Mapping[str, Any]:
    ready, serving, terminating = endpoint.ready, endpoint.serving, endpoint.terminating
    found: Object = {
        "addresses": [endpoint.ip],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
    }
    if endpoint.node:
        found["nodeName"] = endpoint.node
    if endpoint.pod:
        found["targetRef"] = {"kind": "Pod", "name": endpoint.pod, "namespace": namespace}
    if endpoint.zone_hints:
        found["hints"] = {"forZones": [{"name": zone} for zone in endpoint.zone_hints]}
    return found
