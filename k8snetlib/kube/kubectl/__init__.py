"""What lives here: ``kubectl``: words in, the text that it prints out; one module a verb.

    run(network, "node1", ["get", "pods", "-o", "wide"])

Everything goes to the API server; controllers, kubelets and kube-proxies then do what follows from
it, before the command comes back. What kubectl or the API server refuses is a ``BadCommand`` with
kubectl's words.

Simplified here: no watches (``-w``), no contexts, no editor; a kind that is not modelled does not
exist; an object has no more fields than its value. Source: kubectl 1.33, its printers and
describers.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.kubectl import apply, delete, describe, execute, get, label, logs, patch, scale
from k8snetlib.kube.kubectl.call import Call

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

#: A verb: what it does, and its flags, each with what it takes ("text" or "bool").
VERBS: Mapping[str, tuple[Callable[[Call], str], Mapping[str, str]]] = {
    "apply": (apply.run, apply.FLAGS),
    "delete": (delete.run, delete.FLAGS),
    "describe": (describe.run, describe.FLAGS),
    "exec": (execute.run, execute.FLAGS),
    "get": (get.run, get.FLAGS),
    "label": (label.run, label.FLAGS),
    "logs": (logs.run, logs.FLAGS),
    "patch": (patch.run, patch.FLAGS),
    "scale": (scale.run, scale.FLAGS),
}


#: Verbs that are not modelled, and what does the same here.
_INSTEAD = {
    "annotate": "Here: kubectl patch KIND NAME -p PATCH, or delete, and apply another manifest.",
    "create": "Here: kubectl apply -f - <<EOF",
    "edit": "Here: kubectl get KIND NAME -o yaml, and kubectl patch KIND NAME -p PATCH.",
    "replace": "Here: kubectl apply -f - <<EOF",
    "rollout": "Here: kubectl delete pod NAME: its Deployment makes another.",
    "run": "Here: kubectl apply -f - <<EOF",
    "set": "Here: kubectl patch KIND NAME -p PATCH.",
}


def at_prompt(ns: Netns, words: list[str], stdin: str) -> str:
    """``kubectl`` at a machine's prompt: over its own way to the API server."""
    assert ns.network is not None, "a namespace outside of a network has nobody to ask"
    return run(ns.network, ns.name, words, stdin)


def typed(network: Network, command: str, stdin: str = "") -> str:
    """``kubectl`` where nothing cuts the way; ``command`` may begin with the word kubectl."""
    words = shlex.split(command)
    return run(network, "", words[words[:1] == ["kubectl"] :], stdin)


def run(network: Network, host: str, words: list[str], stdin: str = "") -> str:
    """Does what ``kubectl WORDS`` does, and returns what it prints.

    ``host`` is the machine it is typed on (empty: one whose way to the API server nothing cuts);
    ``stdin`` is the text that ``-f -`` reads. Raises ``BadCommand``.
    """
    verb = next((word for word in words if not word.startswith("-")), "")
    if verb not in VERBS:
        near = nearest(verb, VERBS)
        meant = f"Did you mean {near[0]}? " if near else ""
        said = (
            f'error: unknown command "{verb}" for "kubectl"' if verb else "kubectl without a verb"
        )
        raise BadCommand(said, _INSTEAD.get(verb) or f"{meant}Here: {', '.join(VERBS)}.")
    act, flags = VERBS[verb]
    rest = list(words)
    rest.remove(verb)
    call = Call(network, host, verb, rest, flags, stdin)
    if not api_server(network).running:
        where = "The connection to the server apiserver:6443 was refused"
        raise BadCommand(f"{where} - did you specify the right host or port?")
    if host and not api_server(network).reachable(host):
        raise BadCommand("Unable to connect to the server: dial tcp apiserver:6443: i/o timeout")
    return act(call)
