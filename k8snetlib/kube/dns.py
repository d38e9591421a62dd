"""What lives here: kube-dns, as CoreDNS answers with kubeadm's configuration, and who asks it.

A pod is a DNS server if the Service ``kube-system/kube-dns`` leads to its address; ``serve`` is
what its UDP port 53 does with a query. Names of the zone ``cluster.local`` come from the API:

    backend-svc.default.svc.cluster.local              a Service's cluster IP
    headless.default.svc.cluster.local                 of a headless one every ready endpoint
    10-1-20-3.headless.default.svc.cluster.local       one of them
    3.20.1.10.in-addr.arpa                             the name of an address behind a Service

kubelet tells each pod in ``/etc/resolv.conf`` to ask the Service, and to try the pod's own
namespace first (``resolv_conf``).

Simplified here: A, CNAME and PTR records only, no records of pods and ports; a server knows at once
what the API knows, and keeps no cache. There is no server for other zones: what is not in
``cluster.local`` does not exist. Source: CoreDNS' plugin *kubernetes*, the DNS specification 1.1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadPacket
from k8snetlib.kube.api import EndpointSlice, Service
from k8snetlib.kube.apiserver import ApiServer, api_server
from k8snetlib.wire.dns import (
    AA,
    NOERROR,
    NXDOMAIN,
    QR,
    RD,
    Message,
    Record,
    decode,
    encode,
)

if TYPE_CHECKING:
    from k8snetlib.kube.api import Pod
    from k8snetlib.linux.netns import Netns

ZONE = "cluster.local"
NAMESPACE, SERVICE = "kube-system", "kube-dns"
#: Seconds that an answer is good for (kubeadm's Corefile).
TTL = 30
#: 1 January 2000, where the model's clock starts, as the Unix time of the zone's serial number.
_EPOCH = 946_684_800


class Found(NamedTuple):
    """What the zone says to a name: it exists or not, and its records."""

    exists: bool
    records: tuple[Record, ...] = ()


# -- the server -----------------------------------------------------------------------------------


def serve(ns: Netns, payload: bytes) -> bytes | None:
    """What the DNS server in a pod answers to a query; None if it is none, or understands none."""
    assert ns.network is not None
    api = api_server(ns.network)
    if not is_server(api, ns):
        return None
    try:
        query = decode(payload)
    except BadPacket:
        return None
    if query.flags & QR:
        return None
    found = lookup(api, query.question.name, query.question.type)
    records = list(found.records)
    ns.network.random.shuffle(records)  # CoreDNS: loadbalance
    flags = QR | query.flags & RD | (NOERROR if found.exists else NXDOMAIN)
    ours = found.exists or _inside(query.question.name) is not None
    authority = () if records or not ours else (_soa(ns.network.now),)
    return encode(Message(
        query.id, flags | (AA if ours else 0), query.question, tuple(records), authority,
        query.edns,
    ))  # fmt: skip


def is_server(api: ApiServer, ns: Netns) -> bool:
    """True if the Service kube-dns leads to this pod's port 53."""
    return any(
        endpoint.ip in ns.local
        for found in _slices(api, NAMESPACE, SERVICE)
        if any((port.proto, port.port) == ("udp", 53) for port in found.ports)
        for endpoint in found.endpoints
    )


def lookup(api: ApiServer, name: str, kind: str = "A") -> Found:
    """The records of a name (with its last dot), of one type."""
    path = _inside(name)
    if path is None:
        return _named(api, name)
    if path in ([], ["svc"]):
        return Found(True)
    if path[-1] != "svc" or len(path) > 4:
        return Found(False)
    namespace = path[-2]
    if len(path) == 2:
        return Found(any(service.namespace == namespace for service in api.list(Service)))
    service = api.find(Service, namespace, path[-3])
    if service is None:
        return Found(False)
    if service.external_name:
        cname = Record(name, "CNAME", TTL, service.external_name.rstrip(".") + ".")
        return Found(len(path) == 3, (cname,) if len(path) == 3 else ())
    if service.has_address and len(path) == 3:
        ips = [service.cluster_ip] if ":" not in service.cluster_ip else []
        exists = True
    else:
        ips = [ip for ip in _endpoints(api, service) if path[0] == _label(ip) or len(path) == 3]
        exists = bool(ips)
    return Found(exists, tuple(Record(name, "A", TTL, ip) for ip in ips if kind in ("A", "ANY")))


def _named(api: ApiServer, name: str) -> Found:
    """What an address is called: the Service whose cluster IP it is, or those it is behind."""
    ip = ".".join(reversed(name.lower().removesuffix(".in-addr.arpa.").split(".")))
    found = [_full(service) for service in api.list(Service) if service.cluster_ip == ip]
    if not found:
        behind = {
            (slice_.namespace, slice_.service): None
            for slice_ in api.list(EndpointSlice)
            if any(endpoint.ip == ip for endpoint in slice_.endpoints)
        }
        services = [api.find(Service, *key) for key in behind]
        found = [f"{_label(ip)}.{_full(service)}" for service in services if service]
    return Found(bool(found), tuple(Record(name, "PTR", TTL, full) for full in found))


def _full(service: Service) -> str:
    return f"{service.name}.{service.namespace}.svc.{ZONE}."


def _inside(name: str) -> list[str] | None:
    """The labels in front of ``cluster.local``; None for a name of another zone."""
    plain = name.rstrip(".").lower()
    if plain == ZONE:
        return []
    return plain.removesuffix(f".{ZONE}").split(".") if plain.endswith(f".{ZONE}") else None


def _label(ip: str) -> str:
    return ip.replace(".", "-")


def _slices(api: ApiServer, namespace: str, service: str) -> Iterator[EndpointSlice]:
    for found in api.list(EndpointSlice, namespace):
        if found.service == service and found.family == "IPv4":
            yield found


def _endpoints(api: ApiServer, service: Service) -> list[str]:
    """The addresses behind a Service that DNS tells: those that are ready."""
    ips = {
        endpoint.ip: None
        for found in _slices(api, service.namespace, service.name)
        for endpoint in found.endpoints
        if endpoint.ready or service.publish_not_ready
    }
    return list(ips)


def _soa(now: float) -> Record:
    data = f"ns.dns.{ZONE}. hostmaster.{ZONE}. {_EPOCH + int(now)} 7200 1800 86400 {TTL}"
    return Record(f"{ZONE}.", "SOA", TTL, data)


# -- the pods -------------------------------------------------------------------------------------


def resolv_conf(pod: Pod, server: str) -> str:
    """``/etc/resolv.conf`` of a pod, as kubelet writes it; ``server`` is kube-dns' cluster IP."""
    search = f"{pod.namespace}.svc.{ZONE} svc.{ZONE} {ZONE}"
    return f"search {search}\nnameserver {server}\noptions ndots:5\n"


def hosts(pod: Pod) -> str:
    """``/etc/hosts`` of a pod, as kubelet writes it."""
    lines = (
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        f"{pod.ip}\t{pod.name}",
    )
    return "\n".join(lines) + "\n"
