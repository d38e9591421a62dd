"""What lives here: ``kubectl logs``, which has little to show: the programs here write no logs."""

from __future__ import annotations

from k8snetlib.errors import BadCommand
from k8snetlib.kube.kubectl.call import Call
from k8snetlib.kube.kubectl.kinds import POD, kind_named

FLAGS = {"container": "text", "tail": "text", "follow": "bool", "previous": "bool"}


def run(call: Call) -> str:
    """``kubectl logs POD [-c CONTAINER]``: refuses what the real one refuses; else says why there
    is nothing."""
    if not call.words:
        raise BadCommand("error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.")
    kind, _, name = call.words[0].rpartition("/")
    if kind and kind_named(kind) != POD:
        raise BadCommand("kubectl logs of workloads is not modelled.", "kubectl logs POD")
    found = next((each for each in call.objects(POD) if each.name == name), None)
    if found is None:
        said = f'pods "{name}" not found in namespace "{call.namespace}"'
        raise BadCommand(f"error: error from server (NotFound): {said}")
    pod = found.value
    names = [container.name for container in pod.containers]
    wanted = call.text("container") or (call.words[1] if len(call.words) > 1 else names[0])
    if wanted not in names:
        raise BadCommand(f"error: container {wanted} is not valid for pod {pod.name}",
                         f"It has: {', '.join(names)}.")  # fmt: skip
    if not pod.ip:
        raise BadCommand(f'Error from server (BadRequest): container "{wanted}" in pod '
                         f'"{pod.name}" is waiting to start: ContainerCreating')  # fmt: skip
    raise BadCommand(
        f"The programs of this model write no logs: {pod.name} has none to show.",
        "Its packets tell more: tcpdump at its prompt. Daemons of a node: journalctl -u UNIT.",
    )
