"""What lives here: ``kubectl get``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import EndpointSlice, Pod, Service, Workload
from k8snetlib.kube.controllers import ControllerManager, owns
from k8snetlib.kube.kubectl import endpoints as ep
from k8snetlib.kube.kubectl.call import Call, Found
from k8snetlib.kube.kubectl.documents import stored_document
from k8snetlib.kube.kubectl.kinds import (
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINTS,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
    SLICE,
    STATEFUL_SET,
    Kind,
)
from k8snetlib.kube.kubectl.words import age, pairs_text, table
from k8snetlib.kube.kubectl.yaml_text import yaml_text

FLAGS = {"show-labels": "bool", "no-headers": "bool", "ignore-not-found": "bool"}
OUTPUTS = ("", "wide", "name", "yaml", "json")
VERSION, IMAGE = "v1.33.0", "k8snetlib/example"


class Columns(NamedTuple):
    """The columns of a kind, those of ``-o wide`` behind them; what stands in them."""

    plain: tuple[str, ...]
    wide: tuple[str, ...]
    row: Callable[[Call, Found], tuple[str, ...]]


def run(call: Call) -> str:
    """``kubectl get KIND [NAME …]``"""
    output = call.text("output")
    if output not in OUTPUTS:
        raise BadCommand(
            f'error: unable to match a printer suitable for the output format "{output}", allowed '
            "formats are: json,name,wide,yaml"
        )
    groups: dict[Kind, list[Found]] = {}
    wanted = call.kinds_and_names()
    for kind, name in wanted:
        groups.setdefault(kind, []).extend(_objects(call, kind, name))
    found = [each for group in groups.values() for each in group]
    if output in ("yaml", "json"):
        return _documents(call, found, output, single=bool(wanted[0][1]) and len(wanted) == 1)
    if output == "name":
        return "\n".join(each.kind.named(each.name) for each in found)
    if not found:
        if call.on("ignore-not-found"):
            return ""
        every = call.on("all-namespaces") or not any(kind.namespaced for kind in groups)
        return "No resources found" + ("" if every else f" in {call.namespace} namespace.")
    blocks = [
        _table(call, kind, group, several=len(groups) > 1)
        for kind, group in groups.items()
        if group
    ]
    return "\n\n".join(blocks)


def _objects(call: Call, kind: Kind, name: str) -> list[Found]:
    try:
        return call.objects(kind, name)
    except BadCommand:
        if call.on("ignore-not-found"):
            return []
        raise


def _documents(call: Call, found: list[Found], output: str, *, single: bool) -> str:
    documents = [stored_document(call.api, each.value, each.stored) for each in found]
    document: Any = {
        "apiVersion": "v1", "items": documents, "kind": "List", "metadata": {"resourceVersion": ""},
    }  # fmt: skip
    if single:
        document = documents[0] if documents else {}
    if output == "json":
        return json.dumps(document, indent=4, sort_keys=True)
    return yaml_text(document)


def _table(call: Call, kind: Kind, found: list[Found], *, several: bool) -> str:
    columns, wide = COLUMNS[kind], call.text("output") == "wide"
    every = call.on("all-namespaces") and kind.namespaced
    titles = (*columns.plain, *(columns.wide if wide else ()))
    rows = [("NAMESPACE", *titles) if every else titles]
    if call.on("show-labels"):
        rows = [(*rows[0], "LABELS")]
    for each in found:
        cells = columns.row(call, each)[: len(titles)]
        if several:
            cells = (each.kind.named(cells[0]), *cells[1:])
        if every:
            cells = (each.namespace, *cells)
        if call.on("show-labels"):
            cells = (*cells, pairs_text(each.labels))
        rows.append(cells)
    return table(rows[1:] if call.on("no-headers") else rows)


def _age(call: Call, each: Found) -> str:
    return age(call.network.now - each.stored.created)


# -- one function a kind --------------------------------------------------------------------------


def pod_status(pod: Pod) -> str:
    """What STATUS says of a pod."""
    if pod.terminating:
        return "Terminating"
    if pod.ip:
        return "Running"
    return "ContainerCreating" if pod.node else "Pending"


def _pod(call: Call, each: Found) -> tuple[str, ...]:
    pod: Pod = each.value
    count = len(pod.containers)
    ready = count if pod.ready and pod.ip else 0
    return (
        pod.name, f"{ready}/{count}", pod_status(pod), "0", _age(call, each),
        pod.ip or "<none>", pod.node or "<none>", "<none>", "<none>",
    )  # fmt: skip


def node_is_ready(call: Call, name: str) -> bool:
    """True unless the controllers have not heard of the node for too long."""
    agents = call.network.agents
    if ControllerManager.name not in agents:
        return True
    manager = agents[ControllerManager.name]
    assert isinstance(manager, ControllerManager)
    return name not in manager.not_ready


def _node(call: Call, each: Found) -> tuple[str, ...]:
    status = "Ready" if node_is_ready(call, each.name) else "NotReady"
    docker = "docker0" in call.network[each.name].devices
    runtime = "docker://20.10.24" if docker else "containerd://1.6.20"
    return (
        each.name, status, "<none>", _age(call, each), VERSION, each.value.ip, "<none>",
        "Debian GNU/Linux 12 (bookworm)", "6.1.0-amd64", runtime,
    )  # fmt: skip


def external_ip(service: Service) -> str:
    """What EXTERNAL-IP says of a Service."""
    if service.type == "ExternalName":
        return service.external_name
    ips = [ingress.ip for ingress in service.ingress] if service.type == "LoadBalancer" else []
    ips += [ip for ip in service.external_ips if ip not in ips]
    return ",".join(ips) or ("<pending>" if service.type == "LoadBalancer" else "<none>")


def _service(call: Call, each: Found) -> tuple[str, ...]:
    service: Service = each.value
    ports = [
        f"{port.port}{f':{port.node_port}' if port.node_port else ''}/{port.proto.upper()}"
        for port in service.ports
    ]
    return (
        service.name, service.type, service.cluster_ip or "<none>", external_ip(service),
        ",".join(ports) or "<none>", _age(call, each), pairs_text(dict(service.selector)),
    )  # fmt: skip


def _slice(call: Call, each: Found) -> tuple[str, ...]:
    found: EndpointSlice = each.value
    ports = ep.some([str(port.port) for port in found.ports]) or "<unset>"
    ips = ep.some([endpoint.ip for endpoint in found.endpoints]) or "<unset>"
    return found.name, found.family, ports, ips, _age(call, each)


def _endpoints(call: Call, each: Found) -> tuple[str, ...]:
    return each.name, ep.in_a_line(each.value), _age(call, each)


def pods_of(call: Call, workload: Workload) -> list[Pod]:
    """The pods of a workload that are not being deleted."""
    pods = call.api.list(Pod, workload.namespace)
    return [pod for pod in pods if owns(workload, pod) and not pod.terminating]


def _counts(call: Call, workload: Workload) -> tuple[int, int, int]:
    """How many pods a workload wants, has, and has ready."""
    own = pods_of(call, workload)
    wanted = workload.replicas
    if workload.kind == "DaemonSet":
        wanted = len(own)
    return wanted, len(own), sum(pod.ready and bool(pod.ip) for pod in own)


def _containers(workload: Workload) -> tuple[str, str, str]:
    names = [container.name for container in workload.template.containers]
    images = ",".join(IMAGE for _ in names)
    return ",".join(names), images, pairs_text(dict(workload.selector))


def _deployment(call: Call, each: Found) -> tuple[str, ...]:
    wanted, has, ready = _counts(call, each.value)
    counts = (f"{ready}/{wanted}", str(has), str(ready))
    return each.name, *counts, _age(call, each), *_containers(each.value)


def _replica_set(call: Call, each: Found) -> tuple[str, ...]:
    counts = map(str, _counts(call, each.value))
    return each.name, *counts, _age(call, each), *_containers(each.value)


def _stateful_set(call: Call, each: Found) -> tuple[str, ...]:
    wanted, _, ready = _counts(call, each.value)
    return each.name, f"{ready}/{wanted}", _age(call, each), *_containers(each.value)


def _daemon_set(call: Call, each: Found) -> tuple[str, ...]:
    wanted, has, ready = _counts(call, each.value)
    counts = (str(wanted), str(has), str(ready), str(has), str(ready))
    selector = pairs_text(dict(each.value.template.node_selector))
    return each.name, *counts, selector, _age(call, each), *_containers(each.value)


_MADE_OF = ("CONTAINERS", "IMAGES", "SELECTOR")
COLUMNS = {
    POD: Columns(
        ("NAME", "READY", "STATUS", "RESTARTS", "AGE"),
        ("IP", "NODE", "NOMINATED NODE", "READINESS GATES"), _pod,
    ),
    NODE: Columns(
        ("NAME", "STATUS", "ROLES", "AGE", "VERSION"),
        ("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"), _node,
    ),
    SERVICE: Columns(
        ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"), ("SELECTOR",), _service
    ),
    SLICE: Columns(("NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"), (), _slice),
    ENDPOINTS: Columns(("NAME", "ENDPOINTS", "AGE"), (), _endpoints),
    DEPLOYMENT: Columns(("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"), _MADE_OF, _deployment),
    REPLICA_SET: Columns(("NAME", "DESIRED", "CURRENT", "READY", "AGE"), _MADE_OF, _replica_set),
    STATEFUL_SET: Columns(("NAME", "READY", "AGE"), _MADE_OF[:2], _stateful_set),
    DAEMON_SET: Columns(
        ("NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE"),
        _MADE_OF, _daemon_set,
    ),
}  # fmt: skip
