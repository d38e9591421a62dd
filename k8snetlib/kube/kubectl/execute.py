"""What lives here: ``kubectl exec``: a command at a pod's prompt."""

from __future__ import annotations

import shlex

from k8snetlib.errors import BadCommand
from k8snetlib.kube.kubectl.call import Call
from k8snetlib.kube.kubectl.kinds import POD

FLAGS = {"container": "text", "stdin": "bool", "tty": "bool"}


def run(call: Call) -> str:
    """``kubectl exec POD -- COMMAND …``"""
    if not call.words or not call.behind:
        raise BadCommand("error: you must specify at least one command for the container",
                         "kubectl exec POD -- COMMAND")  # fmt: skip
    (found,) = call.objects(POD, call.words[0].removeprefix("pod/").removeprefix("pods/"))
    pod = found.value
    if not pod.ip:
        raise BadCommand(f"error: cannot exec in a pod that is not running: {pod.name}")
    names = (pod.node,) if pod.host_network else (f"{pod.namespace}/{pod.name}", pod.name)
    ns = next(call.network[name] for name in names if name in call.network.netns)
    return ns.sh(shlex.join(call.behind), stdin=call.stdin)
