"""What lives here: the documents that ``-f`` names: a file, a folder, or ``-``, the text given."""

from __future__ import annotations

from typing import Any

from k8snetlib.errors import BadCommand, BadManifest
from k8snetlib.kube import manifests
from k8snetlib.kube.kubectl.call import Call

Object = dict[str, Any]


def documents_of(call: Call) -> list[Object]:
    """All documents of ``-f``, those inside Lists one by one.

    The machine's own files come first, then those of the computer that the model runs on. Raises
    ``BadCommand``.
    """
    name = call.text("filename")
    if not name:
        raise BadCommand("error: must specify one of -f and -k", f"kubectl {call.verb} -f FILE")
    files = call.network[call.host].files if call.host else {}
    try:
        if name == "-":
            documents = manifests.documents(call.stdin, "STDIN")
        elif name in files:
            documents = manifests.documents(files[name], name)
        else:
            documents = manifests.documents_in(name)
    except BadManifest as error:
        raise BadCommand(f"error: {error.message}", error.hint) from None
    if not documents:
        raise BadCommand("error: no objects passed to " + call.verb)
    return [item for document in documents for item in _items(document)]


def _items(document: Object) -> list[Object]:
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]
