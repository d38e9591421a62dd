"""What lives here: ``kubectl patch``: changes some fields of an object.

A patch of the types ``strategic`` (if none is said) and ``merge`` is a document with only what
changes; null takes a field away. ``json`` is a list of operations (RFC 6902).

Simplified here: a strategic patch replaces lists as a merge patch does (RFC 7386), except those of
a Service's ports and a pod's containers: their elements are merged by port and by name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from k8snetlib.errors import BadCommand
from k8snetlib.kube.kubectl.call import Call
from k8snetlib.kube.kubectl.documents import check_update, document_of, value_of
from k8snetlib.kube.kubectl.kinds import SERVICE

FLAGS = {"patch": "text", "type": "text", "subresource": "text"}
#: By which field the elements of a list are told apart in a strategic patch.
MERGE_KEYS = {"ports": "port", "containers": "name", "conditions": "type"}


def run(call: Call) -> str:
    """``kubectl patch KIND NAME -p PATCH [--type strategic|merge|json]``"""
    how = call.text("type", "strategic")
    if how not in ("strategic", "merge", "json"):
        raise BadCommand(f'error: --type must be one of [json merge strategic], not "{how}"')
    if "patch" not in call.flags:
        raise BadCommand("error: must specify --patch or --patch-file containing the contents "
                         "of the patch", "-p '{\"spec\":{…}}'")  # fmt: skip
    change, lines = _read(call.text("patch")), []
    for each in call.named():
        document = document_of(call.api, each.value)
        if how == "json":
            after = _operated(document, change)
        else:
            if not isinstance(change, Mapping):
                raise BadCommand("Error from server (BadRequest): a patch is an object here.")
            after = merged(document, change, keys=MERGE_KEYS if how == "strategic" else {})
        if call.text("subresource") != "status" and each.kind != SERVICE:
            after["status"] = document.get("status")
        value = value_of(call.api, _without_empty(after), "patch")
        if value.name != each.name:
            raise BadCommand(f"The {each.kind.title} \"{each.name}\" is invalid: metadata.name: "
                             "Invalid value: field is immutable")  # fmt: skip
        check_update(each.value, value)
        call.api.put(value)
        said = "patched" if value != each.value else "patched (no change)"
        lines.append(f"{each.kind.named(each.name)} {said}")
    return "\n".join(lines)


def _read(text: str) -> Any:
    """JSON, or YAML in one line."""
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith(("{", "[")) and '"' in text:
            raise BadCommand(f"error: unable to parse {text!r}: {error}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadCommand(f"error: unable to parse {text!r}: this is no JSON and no YAML") from None


def merged(
    document: Any,
    change: Any,
    *,
    whole: Collection[str] = (),
    keys: Mapping[str, str] | None = None,
) -> Any:
    """A document after a change: maps are merged, null takes a field away, all else is replaced.

    Maps named in ``whole`` are replaced as a whole; lists named in ``keys`` are merged by that
    field of their elements.
    """
    if not isinstance(change, Mapping) or not isinstance(document, Mapping):
        return change
    after = dict(document)
    for key, new in change.items():
        old, by = after.get(key), (keys or {}).get(key)
        if new is None:
            after.pop(key, None)
        elif key in whole:
            after[key] = new
        elif by and isinstance(old, list) and isinstance(new, list):
            after[key] = _merged_list(old, new, by, keys or {})
        else:
            after[key] = merged(old, new, whole=whole, keys=keys)
    return after


def _merged_list(old: list[Any], new: list[Any], by: str, keys: Mapping[str, str]) -> list[Any]:
    after = {element.get(by): element for element in old if isinstance(element, Mapping)}
    for element in new:
        if not isinstance(element, Mapping) or by not in element:
            raise BadCommand(f"Error from server (BadRequest): a list element has no {by}.")
        name = element[by]
        if element.get("$patch") == "delete":
            after.pop(name, None)
        else:
            after[name] = merged(after.get(name, {}), element, keys=keys)
    return list(after.values())


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}


def _operated(document: Any, operations: Any) -> Any:
    """A document after the operations of a JSON patch."""
    after = json.loads(json.dumps(document))
    if not isinstance(operations, list):
        raise BadCommand("error: a JSON patch is a list of operations.",
                         '-p \'[{"op":"replace","path":"/spec/replicas","value":3}]\'')  # fmt: skip
    for operation in operations:
        path = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        parent = after
        try:
            for part in path[:-1]:
                parent = parent[int(part)] if isinstance(parent, list) else parent[part]
            _operate(parent, path[-1], operation)
        except (KeyError, IndexError, ValueError, TypeError):
            raise BadCommand("Error from server (BadRequest): the JSON patch does not fit: "
                             f"{operation}") from None  # fmt: skip
    return after


def _operate(parent: Any, last: str, operation: Mapping[str, Any]) -> None:
    verb = operation["op"]
    at: Any = last
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
    if verb == "remove":
        del parent[at]
    elif verb == "test":
        if parent[at] != operation["value"]:
            raise ValueError(verb)
    elif verb == "add" and isinstance(parent, list):
        parent.insert(at, operation["value"])
    elif verb in ("add", "replace"):
        if verb == "replace":
            parent[at]  # it must be there
        parent[at] = operation["value"]
    else:
        raise ValueError(verb)
