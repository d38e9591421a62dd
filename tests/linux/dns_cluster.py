"""The example cluster for tests of DNS, with three more Services."""

from __future__ import annotations

from k8snetlib import Cluster
from k8snetlib.kube.api import Endpoint, EndpointPort, EndpointSlice, Service, ServicePort
from k8snetlib.kube.apiserver import api_server

ZONE = "default.svc.cluster.local"
#: On node1: what goes to DNS servers vanishes.
DROP = "iptables -I FORWARD -d 10.1.0.0/16 -p udp --dport 53 -j DROP"


def dns_cluster() -> Cluster:
    """With a headless Service, one without endpoints, and an alias."""
    cluster = Cluster.example()
    api = api_server(cluster.network)
    port = (ServicePort("http", "tcp", 80, 8080),)
    api.put(Service("headless", "None", port))
    ends = (Endpoint("10.1.20.3"), Endpoint("10.1.20.4", ready=False), Endpoint("10.1.30.2"))
    api.put(EndpointSlice("headless-1", "headless", ends, (EndpointPort("http", "tcp", 8080),)))
    api.put(Service("nobody", "None", port))
    api.put(Service("alias", "", (), type="ExternalName", external_name="example.com"))
    return cluster
