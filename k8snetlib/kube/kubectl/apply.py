"""What lives here: ``kubectl apply``.

Simplified here: what a manifest does not say stays as it is in the object that is there already,
maps of labels and selectors excepted (kubectl compares with what was applied last).
"""

from __future__ import annotations

from k8snetlib.errors import BadCommand
from k8snetlib.kube.kubectl.call import Call
from k8snetlib.kube.kubectl.documents import check_update, document_of, value_of
from k8snetlib.kube.kubectl.files import Object, documents_of
from k8snetlib.kube.kubectl.kinds import kind_of
from k8snetlib.kube.kubectl.patch import merged

FLAGS = {"filename": "text", "server-side": "bool", "dry-run": "text"}
#: Maps that are replaced as a whole.
WHOLE = {"labels", "selector", "matchLabels", "nodeSelector", "annotations"}


def run(call: Call) -> str:
    """``kubectl apply -f FILE``"""
    api, lines = call.api, []
    dry = call.text("dry-run", "none")
    if dry not in ("none", "client", "server"):
        raise BadCommand(
            f'error: Invalid dry-run value ({dry}). Must be "none", "server", or "client".'
        )
    documents = documents_of(call)
    with api.at_once():
        for number, document in enumerate(documents, 1):
            document = _in_namespace(call, document)
            value = value_of(api, document, call.text("filename"), number)
            kind = kind_of(value)
            namespace = getattr(value, "namespace", "")
            old = api.find(type(value), namespace, kind.key(value.name))
            said = "created"
            if old is not None:
                whole = merged(document_of(api, old), document, whole=WHOLE)
                value = value_of(api, whole, call.text("filename"), number)
                check_update(old, value)
                said = "unchanged" if value == old else "configured"
            if dry == "none":
                api.put(value)
            tail = "" if dry == "none" else f" ({dry} dry run)".replace("client dry", "dry")
            lines.append(f"{kind.named(value.name)} {said}{tail}")
    return "\n".join(lines)


def _in_namespace(call: Call, document: Object) -> Object:
    """The document, in the namespace of ``-n`` if it names none."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or "namespace" in metadata or "namespace" not in call.flags:
        return document
    return {**document, "metadata": {**metadata, "namespace": call.namespace}}
