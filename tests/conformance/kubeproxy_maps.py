"""Reads ``kubeproxy_maps*.json``: what kube-proxy makes of Services and EndpointSlices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from k8snetlib.kube.proxy.conntrack import cleanup_required
from k8snetlib.kube.proxy.iptables_rules import probability
from k8snetlib.kube.proxy.state import EndpointsMap, health_check_ports, local_ready_endpoints
from tests.conformance.case import Case, NotUnderstood, known
from tests.conformance.kubeproxy import ORIGIN, Objects, slice_of


def _probability(test: Mapping[str, Any]) -> int:
    known(test, ORIGIN | {"format", "expected", "property"})
    assert test["format"] == "%0.10f of 1/n"
    for n, text in test["expected"].items():
        assert probability(int(n)) == text
    if test["property"] != "strictly increasing as n goes from 100000 down to 2":
        raise NotUnderstood(test["property"])
    values = [float(probability(n)) for n in range(100_000, 1, -1)]
    assert all(one < other for one, other in pairwise(values))
    return len(test["expected"]) + 1


def _steps(test: Mapping[str, Any]) -> int:
    known(test, ORIGIN | {"nodeName", "steps", "options"})
    objects, count = Objects(test.get("nodeName", "")), 0
    for step in test["steps"]:
        known(step, {"apply", "expect", "comment", "note"})
        for op in step["apply"]:
            if not objects.apply(op):
                raise NotUnderstood(f"an op '{op['op']}'")
        services, endpoints = objects.maps
        found = {
            "servicePortCount": len(services),
            "healthCheckNodePorts": {
                f"{namespace}/{name}": port
                for (namespace, name), port in health_check_ports(services).items()
            },
            "servicesWithLocalReadyEndpoints": len(local_ready_endpoints(endpoints)),
        }
        known(step["expect"], found)
        for name, wanted in step["expect"].items():
            assert found[name] == wanted, name
        count += len(step["expect"])
    return count


def _told(endpoints: EndpointsMap) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{name}/{name.proto.upper()}": [{"endpoint": str(e), "isLocal": e.local} for e in own]
        for name, own in endpoints.items()
    }


def _update(test: Mapping[str, Any]) -> int:
    """All slices of before; then, one by one, those of after in place of the one at their index."""
    known(test, ORIGIN | {"nodeName", "previous", "current", "rule", "expect"})
    objects = Objects(test["nodeName"])
    for document in filter(None, test["previous"]):
        objects.apply({"op": "addEndpointSlice", "object": document})
    before = objects.maps[1]
    for old, new in zip(test["previous"], test["current"], strict=True):
        if new is not None:
            objects.apply({"op": "addEndpointSlice", "object": new})
        elif old is not None:
            gone = slice_of(old)
            del objects.slices[gone.namespace, gone.name]
    after = objects.maps[1]
    found = {
        "endpointsAfterPrevious": _told(before),
        "endpointsAfterCurrent": _told(after),
        "conntrackCleanupRequired": cleanup_required(before, after),
        "localReadyEndpointCounts": {
            f"{namespace}/{name}": len(ips)
            for (namespace, name), ips in local_ready_endpoints(after).items()
        },
    }
    known(test["expect"], found)
    for name, wanted in test["expect"].items():
        assert found[name] == wanted, name
    return len(test["expect"])


def _run(test: Mapping[str, Any]) -> int:
    kinds: dict[str, Callable[[Mapping[str, Any]], int]]
    kinds = {"expected": _probability, "steps": _steps, "previous": _update}
    for field, read in kinds.items():
        if field in test:
            return read(test)
    raise NotUnderstood(f"{test['test']}: {', '.join(test)}")


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each test."""
    known(document, {"source", "note", "tests"})
    for n, test in enumerate(document["tests"]):
        name = f"{n}-{test['test']}-{test.get('case', '')}".strip("-").replace(" ", "-")
        yield Case(name, lambda t=test: (_run(t), ()))
