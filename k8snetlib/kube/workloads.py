"""What lives here: the pods that workloads make, with the names that the controllers give them.

``web-5f8b9c47d-x2x4z`` is a pod of the Deployment web: the hash of its template, then five letters
that the API server draws. ``web-0`` is the first pod of a StatefulSet, ``web-x2x4z`` a pod of a
DaemonSet or of a bare ReplicaSet.

What may not live here: the node and the address that a pod gets (see ``assigned``).

Simplified here: hash and letters are made of the workload's name and the pod's number, so the same
manifests always give the same names.
Source: Kubernetes' pkg/controller, k8s.io/apimachinery's util/rand (its letters).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from hashlib import sha256

from k8snetlib.kube.api import Pod, Workload

#: No vowels, and nothing that looks like one: a random name is never a word.
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5


def template_hash(workload: Workload) -> str:
    """The ``pod-template-hash``: a 32-bit number, its digits written as letters."""
    digest = sha256(f"{workload.namespace}/{workload.name}".encode()).digest()
    number = str(int.from_bytes(digest[:4], "big"))
    return "".join(LETTERS[ord(digit) % len(LETTERS)] for digit in number)


def pods_of(
    workload: Workload, pods: Iterable[Pod], taken: Container[str], nodes: Iterable[str] = ()
) -> list[Pod]:
    """The pods that a workload still has to make.

    Parameters: the ``pods`` that it has; ``taken`` are the names of all pods of its namespace;
    ``nodes`` those on which a DaemonSet would run. The new pods have no address, and no node unless
    a DaemonSet made them.
    """
    own = [pod for pod in pods if not pod.terminating]
    if workload.kind == "DaemonSet":
        free = [node for node in nodes if node not in {pod.node for pod in own}]
        names = _names(f"{workload.name}-", taken)
        return [_pod(workload, name, node=node) for node, name in zip(free, names, strict=False)]
    if workload.kind == "StatefulSet":
        wanted = [f"{workload.name}-{at}" for at in range(workload.replicas)]
        return [
            _pod(workload, name, (("apps.kubernetes.io/pod-index", name.rpartition("-")[2]),
                                  ("statefulset.kubernetes.io/pod-name", name)))
            for name in wanted
            if name not in taken
        ]  # fmt: skip
    count = max(0, workload.replicas - len(own))
    prefix = f"{workload.name}-"
    labels: tuple[tuple[str, str], ...] = ()
    if workload.kind == "Deployment":
        found = template_hash(workload)
        prefix += f"{found}-"
        labels = (("pod-template-hash", found),)
    return [
        _pod(workload, name, labels)
        for _, name in zip(range(count), _names(prefix, taken), strict=False)
    ]


def _names(prefix: str, taken: Container[str]) -> Iterator[str]:
    """Names that nobody has, one after the other."""
    at = 0
    while True:
        digest = sha256(f"{prefix}{at}".encode()).digest()
        name = prefix + "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:_SUFFIX])
        if name not in taken:
            yield name
        at += 1


def _pod(
    workload: Workload, name: str, labels: tuple[tuple[str, str], ...] = (), *, node: str = ""
) -> Pod:
    every = (*workload.template.labels, *labels)
    return workload.template._replace(
        name=name, namespace=workload.namespace, labels=every, node=node
    )
