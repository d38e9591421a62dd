"""What lives here: Services and workloads by the names that people write, and what is behind them.

``backend-svc``, ``default/backend-svc``, ``svc/backend-svc:http``, ``backend-svc.default``,
``backend-svc.default.svc.cluster.local``. A name without a namespace is looked for in ``default``
first. A Service with a virtual address has that; a headless one, as its DNS name, the address of an
endpoint that is ready (the first of them here).

A workload's name stands for its first pod.

What may not live here: DNS messages, pods' and nodes' names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from k8snetlib.errors import BadPacket, UnknownName
from k8snetlib.kube.api import EndpointSlice, Pod, Service, Workload

#: How kubectl shortens the kinds of workloads.
SHORT_KINDS = {
    "deployment": "deploy", "replicaset": "rs", "statefulset": "sts", "daemonset": "ds",
}  # fmt: skip
PREFIXES = ("svc/", "service/", "services/")
DOMAIN = ".svc.cluster.local"


class Target(NamedTuple):
    """Where to send: an address, and a port (None: nobody said)."""

    ip: str
    port: int | None


def split_port(name: str) -> tuple[str, str]:
    """A name and the port behind its colon ("": none).

    >>> split_port("svc/backend-svc:http")
    ('svc/backend-svc', 'http')
    """
    head, colon, port = name.rpartition(":")
    return (head, port) if colon else (name, "")


def named(services: Iterable[Service], name: str) -> list[Service]:
    """The Services that a name (without a port) can mean; more than one if it is ambiguous."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    name = name.removesuffix(".").removesuffix(DOMAIN).removesuffix(".svc")
    if "/" in name:
        namespace, _, name = name.partition("/")
    else:
        name, _, namespace = name.partition(".")
    found = [s for s in services if s.name == name and namespace in ("", s.namespace)]
    return [s for s in found if s.namespace == "default"] or found if not namespace else found


def target_of(
    service: Service, slices: Sequence[EndpointSlice], port: int | str | None, proto: str,
    pinned: str | None = None,
) -> Target:  # fmt: skip
    """Where a packet for a Service goes first. ``port`` is a number, the name of a port, or None:
    its only one for the protocol. ``pinned`` is the address that a headless one's name shall have,
    if it is one of its endpoints'. Raises ``UnknownName`` or ``BadPacket``."""
    if service.external_name:
        raise BadPacket(
            f"Service {service.name} is a name for {service.external_name}, outside the cluster.",
            "Send to an address.",
        )
    behind = [s for s in slices if (s.namespace, s.service) == (service.namespace, service.name)]
    number = None if proto == "icmp" else _port(service, behind, port, proto)
    if service.has_address:
        return Target(service.cluster_ip, number)
    ready = [e.ip for one in behind for e in one.endpoints if e.ready and one.family == "IPv4"]
    if not ready:
        raise UnknownName(
            f"Service {service.name} is headless and has no ready endpoint: its name has no "
            "address.",
            "Send to a pod or an address.",
        )
    return Target(pinned if pinned in ready else ready[0], number)


def _port(
    service: Service, behind: Sequence[EndpointSlice], port: int | str | None, proto: str
) -> int | None:
    if isinstance(port, int):
        return port
    if port and port.isascii() and port.isdigit():
        return int(port)
    own = {p.name: p.port for p in service.ports if p.proto == proto}
    if not service.has_address:  # its name leads to the pods' own ports
        own |= {p.name: p.port for one in behind for p in one.ports if p.proto == proto}
    if port:
        if port not in own:
            known = ", ".join(filter(None, own)) or f"none for {proto}"
            what = f"Service {service.name} has no port called '{port}' for {proto}."
            raise UnknownName(what, f"It has: {known}.")
        return own[port]
    if len(own) != 1:
        shown = ", ".join(f"{name or '(no name)'} {number}" for name, number in own.items())
        what = f"Service {service.name} has {len(own)} ports for {proto}: say which."
        raise BadPacket(what, f"It has: {shown}." if own else f"It has none for {proto}.")
    return next(iter(own.values()))


def number(name: str, port: int | str | None) -> int | None:
    """A port as it was written, where only a number will do; None or "": nobody said."""
    if isinstance(port, str) and port:
        if not (port.isascii() and port.isdigit()):
            hint = "Only a Service's ports have names; write a number."
            raise BadPacket(f"'{port}' is not a port of {name}.", hint)
        return int(port)
    return port or None


def first_pods(
    workloads: Iterable[Workload], pods: Sequence[Pod], names: Mapping[tuple[str, str], str]
) -> dict[str, str]:
    """Every name of a workload, as ``kubectl exec`` takes it (``web``, ``deploy/web``,
    ``deployment/web``, each also behind its namespace), to its first pod's name of ``names``."""
    found: dict[str, str] = {}
    for workload in workloads:
        kind, name, namespace = workload.kind.lower(), workload.name, workload.namespace
        own = (p for p in pods if workload.owns(p) and not p.terminating)
        first = next((names[p.namespace, p.name] for p in own), "")
        for alias in (name, f"{kind}/{name}", f"{SHORT_KINDS[kind]}/{name}") if first else ():
            found.setdefault(alias, first)
            found.setdefault(f"{namespace}/{alias}", first)
    return found
