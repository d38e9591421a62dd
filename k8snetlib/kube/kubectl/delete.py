"""What lives here: ``kubectl delete``.

A pod is deleted in two steps: it is marked as *Terminating*, and its kubelet ends it. kubectl waits
for that, and so does the model's clock, unless ``--wait=false``. Where the kubelet does not run the
real kubectl would wait for ever; here it comes back, and the pod stays Terminating.

Simplified here: programs end at once, unless ``--grace-period`` says how many seconds they take.
"""

from __future__ import annotations

from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import Pod
from k8snetlib.kube.kubectl.call import Call, Found
from k8snetlib.kube.kubectl.files import documents_of

FLAGS = {
    "all": "bool", "filename": "text", "force": "bool", "grace-period": "text", "wait": "bool",
    "now": "bool", "ignore-not-found": "bool",
}  # fmt: skip


def run(call: Call) -> str:
    """``kubectl delete KIND NAME …``, ``kubectl delete -f FILE``"""
    if "filename" in call.flags:
        call.words = []
        for document in documents_of(call):
            metadata = document.get("metadata") or {}
            call.words.append(f"{document.get('kind', '')}/{metadata.get('name', '')}")
    grace, api = _grace(call), call.api
    found = list(_found(call))
    for each in found:
        if not isinstance(each.value, Pod):
            if each.kind.type is None:
                raise BadCommand("Endpoints are made of EndpointSlices here: delete those.")
            api.delete(each.kind.type, each.namespace, each.kind.key(each.name))
        elif call.on("force") and not grace:
            api.delete(Pod, each.namespace, each.name)
        else:
            api.terminate(each.value, grace)
    if call.text("wait", "true") == "true" and grace and any(_is_there(call, f) for f in found):
        call.network.advance(grace)
    forced = " force" * (call.on("force") and not grace)
    lines = [f"{f.kind.named(f.name).replace('/', ' ', 1)}" for f in found]
    return "\n".join(_said(line, forced) for line in lines)


def _said(what: str, forced: str) -> str:
    kind, _, name = what.partition(" ")
    return f'{kind} "{name}"{forced} deleted'


def _found(call: Call) -> list[Found]:
    try:
        return list(call.named())
    except BadCommand as error:
        if call.on("ignore-not-found") and "NotFound" in error.message:
            return []
        raise


def _is_there(call: Call, each: Found) -> bool:
    return isinstance(each.value, Pod) and bool(call.api.find(Pod, each.namespace, each.name))


def _grace(call: Call) -> float:
    text = call.text("grace-period", "0")
    try:
        return max(0.0, float(int(text)))
    except ValueError:
        said = f'invalid argument "{text}" for "--grace-period" flag'
        raise BadCommand(f"error: {said}", "A whole number of seconds.") from None
