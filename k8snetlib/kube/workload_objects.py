"""What lives here: Deployments, ReplicaSets, StatefulSets and DaemonSets as documents.

What may not live here: the pods that they make (see ``workloads``).

Simplified here: of a selector only ``matchLabels`` counts.
Source: the Kubernetes API, apps/v1.
"""

from __future__ import annotations

from typing import Any

from k8snetlib.kube.api import Workload
from k8snetlib.kube.fields import Fields
from k8snetlib.kube.pod_objects import template, template_object
from k8snetlib.kube.service_objects import metadata_of

KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")


def workload(doc: Fields, passed_over: list[str]) -> Workload:
    """The value of a workload; raises ``BadManifest``, also where its selector would not find its
    own pods."""
    namespace, name = metadata_of(doc)
    kind, spec = doc.one_of("kind", KINDS), doc.fields("spec")
    below = spec.fields("template")
    pod = template(below, passed_over)
    selector = spec.fields("selector").pairs("matchLabels")
    missing = [f"{key}={value}" for key, value in selector if (key, value) not in pod.labels]
    if missing:
        raise below.fields("metadata", optional=True).error(
            "labels", f"lacks {', '.join(missing)}, which spec.selector asks for."
        )
    if not selector:
        selector = pod.labels  # matchExpressions
    replicas = 1 if kind == "DaemonSet" else spec.number("replicas", 0, 100_000, 1)
    return Workload(
        kind, name, pod._replace(namespace=namespace), selector, replicas, namespace
    )  # fmt: skip


def workload_object(workload: Workload) -> dict[str, Any]:
    """The workload as people write it."""
    replicas = {} if workload.kind == "DaemonSet" else {"replicas": workload.replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": workload.kind,
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {
            **replicas,
            "selector": {"matchLabels": dict(workload.selector)},
            "template": template_object(workload.template),
        },
    }
