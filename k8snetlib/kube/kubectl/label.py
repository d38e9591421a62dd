"""What lives here: ``kubectl label``: sets and takes away labels."""

from __future__ import annotations

from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import Node, Pod
from k8snetlib.kube.kubectl.call import Call

FLAGS = {"overwrite": "bool", "all": "bool"}


def run(call: Call) -> str:
    """``kubectl label KIND NAME KEY=VALUE … KEY-``"""
    changes = [w for w in call.words if "=" in w or (w.endswith("-") and len(w) > 1)]
    call.words = [word for word in call.words if word not in changes]
    if not changes:
        raise BadCommand("error: at least one label update is required", "KEY=VALUE, or KEY-")
    lines = []
    for each in call.named():
        value = each.value
        if not isinstance(value, Pod | Node):
            raise BadCommand(f"Labels of {each.kind.plural} are not modelled.", "pods, nodes")
        labels = dict(value.labels)
        for change in changes:
            key, assign, new = change.partition("=")
            if not assign:
                labels.pop(key[:-1], None)
            elif key in labels and labels[key] != new and not call.on("overwrite"):
                raise BadCommand(f"error: '{key}' already has a value ({labels[key]}), and "
                                 "--overwrite is false")  # fmt: skip
            else:
                labels[key] = new
        after = tuple(labels.items())
        said = "not labeled" if after == value.labels else "labeled"
        if all(change.endswith("-") and "=" not in change for change in changes):
            said = "unlabeled" if after != value.labels else said
        call.api.put(value._replace(labels=after))
        lines.append(f"{each.kind.named(each.name)} {said}")
    return "\n".join(lines)
