"""What lives here: Endpoints (core/v1), the older way to say it, turned into EndpointSlices.

Each subset becomes a slice, as the mirroring controller does it. Only read: what is written are
EndpointSlices.

Source: the Kubernetes API, core/v1 Endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8snetlib.kube.api import Endpoint, EndpointPort, EndpointSlice
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.service_objects import PROTOCOLS, metadata_of


def endpoints(doc: Fields) -> tuple[EndpointSlice, ...]:
    """The slices of an Endpoints object, which has its Service's name; raises ``BadManifest``."""
    namespace, name = metadata_of(doc)
    return tuple(
        EndpointSlice(f"{name}-{at}", name, tuple(_addresses(subset)), _ports(subset), namespace)
        for at, subset in enumerate(doc.each("subsets"), start=1)
    )


def _ports(subset: Fields) -> tuple[EndpointPort, ...]:
    return tuple(
        EndpointPort(
            port.text("name", ""), port.one_of("protocol", PROTOCOLS, "TCP").lower(),
            port.port("port"),
        )
        for port in subset.each("ports")
    )  # fmt: skip


def _addresses(subset: Fields) -> Iterator[Endpoint]:
    for key, ready in (("addresses", True), ("notReadyAddresses", False)):
        for address in subset.each(key):
            if ":" in address.text("ip"):
                continue  # the other family
            target = address.fields("targetRef", optional=True)
            pod = target.text("name", "") if target.text("kind", "") == "Pod" else ""
            ip, node = address.ip("ip"), address.text("nodeName", "")
            yield Endpoint(ip, node, pod, ready, ready)
