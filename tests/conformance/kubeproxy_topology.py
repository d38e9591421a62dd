"""Reads ``kubeproxy_topology*.json``: which endpoints a Service uses, as seen from a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.kube.proxy.state import EndpointInfo, ServicePortInfo, ServicePortName
from k8snetlib.kube.proxy.topology import categorize
from tests.conformance.case import Case, known
from tests.conformance.kubeproxy import ORIGIN


def _endpoint(given: Mapping[str, Any]) -> EndpointInfo:
    known(given, {"endpoint", "ready", "serving", "terminating", "isLocal", "zoneHints"})
    ip, _, port = given["endpoint"].rpartition(":")
    ready = given["ready"]
    return EndpointInfo(
        ip, int(port), given["isLocal"], ready, given.get("serving", ready),
        given.get("terminating", False), tuple(given.get("zoneHints") or ()),
    )  # fmt: skip


def _run(test: Mapping[str, Any]) -> int:
    known(test, ORIGIN | {"nodeLabels", "service", "endpoints", "expect"})
    service = test["service"]
    known(service, {"internalPolicyLocal", "externalPolicyLocal", "nodePort"})
    info = ServicePortInfo(
        ServicePortName("ns", "svc", "", "tcp"), "10.96.0.1", 80, service["nodePort"],
        internal_local=service["internalPolicyLocal"],
        external_local=service["externalPolicyLocal"],
    )  # fmt: skip
    found = categorize([_endpoint(e) for e in test["endpoints"]], info, test["nodeLabels"] or {})
    ours = {
        "clusterEndpoints": found.cluster,
        "localEndpoints": found.local,
        "allEndpoints": found.reachable,
    }
    expect = test["expect"]
    known(expect, {*ours, "hasAnyEndpoints"})
    for name, endpoints in ours.items():
        told = None if endpoints is None else sorted(map(str, endpoints))
        wanted = expect[name]
        assert told == (None if wanted is None else sorted(wanted)), name
    assert found.any_node is expect["hasAnyEndpoints"]
    return len(expect)


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each row."""
    known(document, {"source", "note", "tests"})
    for n, test in enumerate(document["tests"]):
        yield Case(f"{n}-{test.get('case', '')}".replace(" ", "-"), lambda t=test: (_run(t), ()))
