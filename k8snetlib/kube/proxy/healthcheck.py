"""What lives here: health-check node ports: a load balancer asks them which nodes it may use.

A Service of type LoadBalancer with the Local policy has one. kube-proxy answers on every node: 200
if ready endpoints of the Service are there, else 503.

Source: kube-proxy's pkg/proxy/healthcheck/service_health.go.
"""

from __future__ import annotations

from k8snetlib.kube.proxy.state import (
    EndpointsMap,
    ServiceMap,
    health_check_ports,
    local_ready_endpoints,
)
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen

PROCESS = "kube-proxy"


def serve(ns: Netns, services: ServiceMap, endpoints: EndpointsMap) -> None:
    """Opens and closes the node's health-check ports, and says how many endpoints are there."""
    close(ns)
    here = local_ready_endpoints(endpoints)
    for (namespace, name), port in health_check_ports(services).items():
        count = len(here.get((namespace, name), ()))
        status = "200 OK" if count else "503 Service Unavailable"
        service = f'"service":{{"namespace":"{namespace}","name":"{name}"}}'
        body = f'{{{service},"localEndpoints":{count},"serviceProxyHealthy":true}}'
        reply = f"HTTP/1.1 {status}\r\n\r\n{body}\n".encode()
        listen(ns, Listener("tcp", "0.0.0.0", port, PROCESS, reply))


def close(ns: Netns) -> None:
    """Closes them: the sockets end with their process."""
    for key, listener in list(ns.listeners.items()):
        if listener.process == PROCESS:
            del ns.listeners[key]
