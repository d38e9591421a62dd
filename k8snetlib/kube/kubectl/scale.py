"""What lives here: ``kubectl scale``: how many pods a workload wants."""

from __future__ import annotations

from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import Workload
from k8snetlib.kube.kubectl.call import Call

FLAGS = {"replicas": "text", "current-replicas": "text", "all": "bool"}


def run(call: Call) -> str:
    """``kubectl scale KIND/NAME --replicas=N``"""
    text = call.text("replicas")
    if not text:
        raise BadCommand('error: required flag(s) "replicas" not set', "--replicas=3")
    if not text.isdigit():
        raise BadCommand("error: The --replicas=COUNT flag is required, and COUNT must be greater "
                         "than or equal to 0")  # fmt: skip
    try:
        found = list(call.named())
    except BadCommand as error:
        what = error.message.removeprefix("Error from server (NotFound): ")
        if what == error.message:
            raise
        raise BadCommand(f"error: no objects passed to scale {what}", error.hint) from None
    lines = []
    for each in found:
        workload = each.value
        if not isinstance(workload, Workload) or workload.kind == "DaemonSet":
            raise BadCommand("Error from server (NotFound): the server could not find the "
                             "requested resource", "A Deployment, ReplicaSet or StatefulSet has "
                             "replicas.")  # fmt: skip
        current = call.text("current-replicas")
        if current and int(current) != workload.replicas:
            raise BadCommand(f"error: Expected replicas to be {current}, was {workload.replicas}")
        call.api.put(workload._replace(replicas=int(text)))
        lines.append(f"{each.kind.named(each.name)} scaled")
    return "\n".join(lines)
