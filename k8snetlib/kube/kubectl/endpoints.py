"""What lives here: Endpoints, the older form of EndpointSlices, one object for each Service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.kube.api import Endpoint, EndpointPort, EndpointSlice, Service
from k8snetlib.kube.apiserver import ApiServer, Stored
from k8snetlib.kube.kubectl.call import Found
from k8snetlib.kube.kubectl.kinds import ENDPOINTS

#: How many of a list are printed in one line.
MOST = 3


class Endpoints(NamedTuple):
    """All that is behind one Service: slices with the same ports are one subset."""

    name: str
    namespace: str
    subsets: tuple[tuple[tuple[EndpointPort, ...], tuple[Endpoint, ...]], ...]
    labels: tuple[tuple[str, str], ...] = ()


def endpoints_of(api: ApiServer, namespace: str | None) -> Iterator[Found]:
    """The Endpoints of all Services that have EndpointSlices."""
    slices: dict[tuple[str, str], list[EndpointSlice]] = {}
    for found in api.list(EndpointSlice, namespace):
        slices.setdefault((found.namespace, found.service), []).append(found)
    for (space, name), own in sorted(slices.items()):
        if api.find(Service, space, name) is None:
            continue
        merged: dict[tuple[EndpointPort, ...], tuple[Endpoint, ...]] = {}
        for found in own:
            merged[found.ports] = (*merged.get(found.ports, ()), *found.endpoints)
        times = [api.stored(EndpointSlice, space, found.name) for found in own]
        value = Endpoints(name, space, tuple((p, e) for p, e in merged.items() if e))
        yield Found(ENDPOINTS, value, Stored(value, min(t.created for t in times),
                    max(t.revision for t in times)))  # fmt: skip


def in_a_line(endpoints: Endpoints) -> str:
    """The first three of those that are ready, as ``ADDRESS:PORT``; ``<none>`` without any."""
    found = [
        f"{endpoint.ip}:{port.port}" if port else endpoint.ip
        for ports, behind in endpoints.subsets
        for port in (ports or (None,))
        for endpoint in behind
        if endpoint.ready
    ]
    return some(found) or "<none>"


def some(texts: list[str]) -> str:
    """The first three, and how many more there are."""
    more = f" + {len(texts) - MOST} more..." if len(texts) > MOST else ""
    return ",".join(texts[:MOST]) + more
