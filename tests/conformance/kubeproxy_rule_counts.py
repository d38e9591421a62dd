"""Reads ``kubeproxy_rule_counts*.json``: how many rules so many Services and endpoints come to.

``derivedNewer`` counts for the layout that the model has; ``expect…`` are the numbers of a tree of
2022, which wrote fewer rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.kube.api import Endpoint, EndpointPort, EndpointSlice, Ingress, Service, ServicePort
from k8snetlib.kube.proxy.config import Detector, ProxyConfig
from k8snetlib.kube.proxy.iptables import INVALID_COUNTER, Proxier
from k8snetlib.kube.proxy.iptables_rules import LOCALHOST_COUNTER
from k8snetlib.kube.proxy.state import endpoints_map, service_map
from k8snetlib.linux.netns import Netns
from tests.conformance.case import Case, NotUnderstood, known
from tests.conformance.kubeproxy import ORIGIN


def _service(i: int, kind: str) -> Service:
    balanced = kind == "LoadBalancer"
    return Service(
        f"svc{i}", f"10.0.0.{1 + i}", (ServicePort("8080", "tcp", 80 + i, 8080,
                                                   (30000 + i) * balanced),),
        "namespace", kind,
        external_ips=("1.2.3.4",) * balanced,
        ingress=(Ingress("1.2.3.4"),) * balanced,
        source_ranges=("1.2.3.0/28",) * balanced,
    )  # fmt: skip


def _run(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"services", "endpointsPerService", "serviceType", "expectFilterRules",
                          "expectNatRules", "derivedNewer"})  # fmt: skip
    if case["serviceType"] not in ("ClusterIP", "LoadBalancer"):
        raise NotUnderstood(f"serviceType {case['serviceType']}")
    services = [_service(i, case["serviceType"]) for i in range(case["services"])]
    endpoints = tuple(Endpoint(f"172.16.0.{1 + j}") for j in range(case["endpointsPerService"]))
    port = EndpointPort("8080", "tcp", 8080)
    slices = [EndpointSlice(f"{s.name}-1", s.name, endpoints, (port,), s.namespace)
              for s in services]  # fmt: skip
    proxier = Proxier(
        Netns("test-node", "node"),
        ProxyConfig("test-node", "192.168.0.2", detector=Detector("CIDR", "10.0.0.0/8"),
                    nfacct=frozenset({INVALID_COUNTER, LOCALHOST_COUNTER})),
    )  # fmt: skip
    proxier.sync(service_map(services), endpoints_map(slices, "test-node"))
    restore = proxier.restore
    assert restore is not None and not proxier.error
    found = {f"{table}Rules": len(list(restore.lines(table))) for table in ("filter", "nat")}
    assert found == case["derivedNewer"]
    return len(found)


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each row."""
    known(document, {"source", "generator", "note", "cases"})
    for n, case in enumerate(document["cases"]):
        yield Case(str(n), lambda c=case: (_run(c), ()))
