"""What lives here: the text that ``etcdctl txn`` reads: conditions, then requests, then requests.

    version("/a") = "0"

    put /a "first"

    get /a

Each part ends with a blank line. Source: etcd's etcdctl/ctlv3/command/txn_command.go.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from k8snetlib.errors import BadCommand
from k8snetlib.etcd.api import Compare, DeleteRange, Put, Range, Txn
from k8snetlib.etcd.etcdctl_flags import Options, read, refuse

_COMPARE = re.compile(r'^(\w+)\("((?:[^"\\]|\\.)*)"\)\s*(=|!=|<|>)\s*"((?:[^"\\]|\\.)*)"$')
_TARGETS = {
    "ver": "VERSION", "version": "VERSION", "c": "CREATE", "create": "CREATE", "m": "MOD",
    "mod": "MOD", "val": "VALUE", "value": "VALUE", "lease": "LEASE",
}  # fmt: skip
Requests = Mapping[str, tuple[Mapping[str, str], Callable[[Options], Range | Put | DeleteRange]]]


def read_txn(text: str, requests: Requests) -> Txn:
    """The transaction that the text means; ``requests`` are the commands that may stand in it."""
    if not text.strip():
        raise BadCommand(
            "etcdctl txn reads its conditions and requests, and there is nothing to read.",
            'Give the text with the command: sh("etcdctl txn", stdin=\'version("/a") = '
            '"0"\\n\\nput /a 1\\n\\nget /a\\n\\n\').',
        )
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            parts[-1].append(line.strip())
        else:
            parts.append([])
    parts += [[], []]
    compares, success, failure = parts[:3]
    return Txn(
        tuple(_compare(line) for line in compares),
        tuple(_request(line, requests) for line in success),
        tuple(_request(line, requests) for line in failure),
    )


def _compare(line: str) -> Compare:
    found = _COMPARE.match(line)
    if found is None:
        raise refuse(f"malformed comparison: {line}", 'As in: mod("/a") > "0".')
    target, key, operator, operand = found.groups()
    if target not in _TARGETS:
        raise refuse(f"malformed comparison: {line} (unknown target {target})")
    kind = _TARGETS[target]
    if kind == "VALUE":
        return Compare(kind, _unquoted(key), operator, _unquoted(operand))
    try:
        number = int(operand, 16 if kind == "LEASE" else 10)
    except ValueError as error:
        raise refuse(f"invalid txn compare request: {line}") from error
    return Compare(kind, _unquoted(key), operator, number)


def _request(line: str, requests: Requests) -> Range | Put | DeleteRange:
    name, *words = shlex.split(line)
    if name not in requests:
        known = ", ".join(requests)
        raise refuse(f"invalid txn request: {line}", f"A transaction may {known}.")
    flags, build = requests[name]
    return build(read(words, flags, name, ""))


def _unquoted(text: str) -> bytes:
    return re.sub(r"\\(.)", r"\1", text).encode()
