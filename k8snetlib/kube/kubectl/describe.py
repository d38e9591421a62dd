"""What lives here: ``kubectl describe``.

Simplified here: what is not modelled (images, volumes, events) is not printed; of a pod and a node
the lines about the network are. Source: k8s.io/kubectl's pkg/describe.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from k8snetlib.kube.api import EndpointSlice, Node, Pod, Service, ServicePort, Workload
from k8snetlib.kube.controllers import owns
from k8snetlib.kube.kubectl import get
from k8snetlib.kube.kubectl.call import Call, Found
from k8snetlib.kube.kubectl.endpoints import Endpoints, some
from k8snetlib.kube.kubectl.words import described, pairs_text, rfc1123, table

FLAGS: dict[str, str] = {"show-events": "bool"}
Rows = list[tuple[str, str]]


def run(call: Call) -> str:
    """``kubectl describe KIND [NAME …]``"""
    found = [each for kind, name in call.kinds_and_names() for each in call.objects(kind, name)]
    if not found:
        return f"No resources found in {call.namespace} namespace."
    return "\n\n\n".join(_describe(call, each) for each in found)


def _describe(call: Call, each: Found) -> str:
    value = each.value
    if isinstance(value, Service):
        return described([*_head(each), *_service(call, value), ("Events:", "<none>")])
    if isinstance(value, Pod):
        return _pod(call, each, value)
    if isinstance(value, Node):
        return _node(call, each, value)
    if isinstance(value, Endpoints):
        return _endpoints(each, value)
    if isinstance(value, EndpointSlice):
        return _slice(each, value)
    return described([*_head(each), *_workload(call, value)])


def _head(each: Found) -> Rows:
    rows = [("Name:", each.name)]
    if each.kind.namespaced:
        rows.append(("Namespace:", each.namespace))
    notes = dict(getattr(each.value, "annotations", ()))
    noted = "\n".join(f"{key}: {value}" for key, value in sorted(notes.items()))
    return [*rows, ("Labels:", pairs_text(each.labels, "\n")), ("Annotations:", noted or "<none>")]


# -- Services -------------------------------------------------------------------------------------


def _service(call: Call, service: Service) -> Rows:
    rows = [("Selector:", pairs_text(dict(service.selector))), ("Type:", service.type)]
    if service.external_name:
        rows += [("IP Families:", "<none>"), ("IP:", ""), ("IPs:", "<none>")]
        rows.append(("External Name:", service.external_name))
    else:
        rows += [
            ("IP Family Policy:", "SingleStack"),
            ("IP Families:", "IPv6" if ":" in service.cluster_ip else "IPv4"),
            ("IP:", service.cluster_ip), ("IPs:", service.cluster_ip),
        ]  # fmt: skip
    if service.external_ips:
        rows.append(("External IPs:", ",".join(service.external_ips)))
    if service.ingress:
        ips = [f"{i.ip} (VIP)" if i.mode == "VIP" else f"{i.ip} (Proxy)" for i in service.ingress]
        rows.append(("LoadBalancer Ingress:", ", ".join(ips)))
    for port in service.ports:
        rows += _port(call, service, port)
    affinity = "ClientIP" if service.affinity_seconds else "None"
    rows.append(("Session Affinity:", affinity))
    if service.type in ("NodePort", "LoadBalancer"):
        rows.append(("External Traffic Policy:", service.external_traffic_policy))
    rows.append(("Internal Traffic Policy:", service.internal_traffic_policy))
    if service.health_check_node_port:
        rows.append(("HealthCheck NodePort:", str(service.health_check_node_port)))
    if service.source_ranges:
        rows.append(("LoadBalancer Source Ranges:", ",".join(service.source_ranges)))
    return rows


def _port(call: Call, service: Service, port: ServicePort) -> Rows:
    name, proto = port.name or "<unset>", port.proto.upper()
    rows = [
        ("Port:", f"{name}  {port.port}/{proto}"),
        ("TargetPort:", f"{port.target_port or port.port}/{proto}"),
    ]
    if port.node_port:
        rows.append(("NodePort:", f"{name}  {port.node_port}/{proto}"))
    return [*rows, ("Endpoints:", _behind(call, service, port))]


def _behind(call: Call, service: Service, port: ServicePort) -> str:
    """The ready endpoints of a port; nothing if there are none, ``<none>`` without any slice."""
    slices = [
        found
        for found in call.api.list(EndpointSlice, service.namespace)
        if found.service == service.name
    ]
    found = [
        f"{endpoint.ip}:{number.port}"
        for one in slices
        for number in one.ports
        if number.name == port.name
        for endpoint in one.endpoints
        if endpoint.ready
    ]
    return some(found) if slices else "<none>"


# -- the others -----------------------------------------------------------------------------------


def _pod(call: Call, each: Found, pod: Pod) -> str:
    node = call.api.find(Node, "", pod.node)
    rows = [("Name:", pod.name), ("Namespace:", pod.namespace)]
    if pod.node:
        rows.append(("Node:", f"{pod.node}/{node.ip}" if node else pod.node))
        rows.append(("Start Time:", rfc1123(each.stored.created)))
    else:
        rows.append(("Node:", "<none>"))
    status = get.pod_status(pod)
    rows += [
        ("Labels:", pairs_text(each.labels, "\n")), ("Annotations:", "<none>"),
        ("Status:", "Pending" if status == "ContainerCreating" else status), ("IP:", pod.ip),
    ]  # fmt: skip
    owners = [w for w in call.api.list(Workload, pod.namespace) if owns(w, pod)]
    owner = [f"Controlled By:  {w.kind}/{w.name}" for w in owners[:1]]
    ips = ["IPs:", f"  IP:  {pod.ip}"] if pod.ip else ["IPs:  <none>"]
    lines, ready = [described(rows), *ips, *owner, "Containers:"], str(bool(pod.ip) and pod.ready)
    for container in pod.containers:
        declared = [s for s in container.listens if not s.ip.startswith("127.")]
        hosts = {(p.port, p.proto): p.host_port for p in container.ports}
        ports = ", ".join(f"{s.port}/{s.proto.upper()}" for s in declared)
        outside = ", ".join(
            f"{hosts.get((s.port, s.proto), 0)}/{s.proto.upper()}" for s in declared
        )
        word = "Ports:" if len(declared) > 1 else "Port:"
        inside = [
            ("Image:", get.IMAGE), (word, ports or "<none>"), (f"Host {word}", outside or "<none>"),
            ("State:", "Running" if pod.ip else "Waiting"), ("Ready:", ready),
            ("Restart Count:", "0"),
        ]  # fmt: skip
        lines += [f"  {container.name}:", _indented(described(inside), 4)]
    conditions = [("Type", "Status"), ("Ready", ready), ("PodScheduled", str(bool(pod.node)))]
    lines += ["Conditions:", _indented(_table(conditions), 2)]
    return "\n".join(lines)


def _node(call: Call, each: Found, node: Node) -> str:
    ready = "True" if get.node_is_ready(call, node.name) else "Unknown"
    pods = [pod for pod in call.api.list(Pod) if pod.node == node.name]
    listed = _table([("Namespace", "Name"), *((pod.namespace, pod.name) for pod in pods)])
    return "\n".join([
        described([("Name:", node.name), *_head(each)[1:]]),
        "Conditions:", _indented(_table([("Type", "Status"), ("Ready", ready)]), 2),
        "Addresses:", _indented(described([("InternalIP:", node.ip), ("Hostname:", node.name)]), 2),
        described([("PodCIDR:", str(node.pod_cidr)), ("PodCIDRs:", str(node.pod_cidr))]),
        described([("Non-terminated Pods:", f"({len(pods)} in total)")]), _indented(listed, 2),
    ])  # fmt: skip


def _endpoints(each: Found, value: Endpoints) -> str:
    lines = [described(_head(each)), "Subsets:"]
    for ports, behind in value.subsets:
        ready = ",".join(e.ip for e in behind if e.ready) or "<none>"
        other = ",".join(e.ip for e in behind if not e.ready) or "<none>"
        rows = [("Addresses:", ready), ("NotReadyAddresses:", other)]
        lines.append(_indented(described(rows), 2))
        listed = [(p.name or "<unset>", str(p.port), p.proto.upper()) for p in ports]
        head = [("Name", "Port", "Protocol"), ("----", "----", "--------")]
        lines += ["  Ports:", _indented(_table([*head, *listed]), 4), ""]
    return "\n".join([*lines, "Events:  <none>"])


def _slice(each: Found, found: EndpointSlice) -> str:
    lines = [described([*_head(each), ("AddressType:", found.family)]), "Ports:"]
    listed = [(p.name or "<unset>", str(p.port), p.proto.upper()) for p in found.ports]
    head = [("Name", "Port", "Protocol"), ("----", "----", "--------")]
    lines += [_indented(_table([*head, *listed]), 2), "Endpoints:"]
    for endpoint in found.endpoints:
        target = f"Pod/{endpoint.pod}" if endpoint.pod else "<none>"
        lines += [
            f"  - Addresses:  {endpoint.ip}",
            "    Conditions:",
            f"      Ready:    {_word(endpoint.ready)}",
            "    Hostname:   <unset>",
            f"    TargetRef:  {target}",
            f"    NodeName:   {endpoint.node or '<unset>'}",
            f"    Zone:       {','.join(endpoint.zone_hints) or '<unset>'}",
        ]
    return "\n".join([*lines, "Events:         <none>"])


def _word(value: bool) -> str:
    return "true" if value else "false"


def _workload(call: Call, workload: Any) -> Rows:
    own = get.pods_of(call, workload)
    ready = sum(pod.ready and bool(pod.ip) for pod in own)
    wanted = len(own) if workload.kind == "DaemonSet" else workload.replicas
    return [
        ("Selector:", pairs_text(dict(workload.selector))),
        ("Replicas:", f"{wanted} desired | {len(own)} total | {ready} available | "
                      f"{len(own) - ready} unavailable"),
        ("Events:", "<none>"),
    ]  # fmt: skip


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return table(rows, padding=2, least=0)


def _indented(text: str, blanks: int) -> str:
    return "\n".join(f"{' ' * blanks}{line}" for line in text.splitlines())
