"""What lives here: ``tee`` and ``sed``: the files of a machine, written and changed.

    tee [-a] FILE … <<EOF          writes (or appends) a text, and prints it
    sed [-i] 's/OLD/NEW/[g]' FILE …   replaces in every line; with -i in the file itself;
                                      several with -e SCRIPT -e SCRIPT

A daemon reads its file when it starts, so what is written here shows after a restart.

Simplified here: of ``sed`` only the command ``s``, with basic regular expressions without groups;
a folder is there as soon as a file stands in it. Source: tee(1), sed(1).
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_SED = "sed -i 's/OLD/NEW/' FILE"


def tee(ns: Netns, words: list[str], stdin: str) -> str:
    """``tee [-a] FILE …``"""
    paths = [word for word in words if not word.startswith("-")]
    for word in words:
        if word.startswith("-") and word not in ("-a", "--append"):
            raise BadCommand(f"tee: '{word}' is not modelled.", "Here: -a.")
    if not paths:
        raise BadCommand("tee: there is no file to write to.", "tee FILE <<EOF … EOF")
    for path in map(_absolute, paths):
        before = ns.files.get(path, "") if len(paths) < len(words) else ""
        ns.files[path] = before + stdin
    return stdin.removesuffix("\n")


def sed(ns: Netns, words: list[str]) -> str:
    """``sed [-i] [-e] 's/OLD/NEW/[g]' [-e …] FILE …``"""
    inside = "-i" in words
    rest = [word for word in words if word != "-i"]
    unknown = [word for word in rest if word.startswith("-") and word != "-e"]
    if unknown:
        raise BadCommand(f"sed: '{unknown[0]}' is not modelled.", f"Here: {_SED}")
    scripts: list[str] = []
    while rest[:1] == ["-e"]:
        scripts, rest = [*scripts, *rest[1:2]], rest[2:]
    if not scripts:
        scripts, rest = rest[:1], rest[1:]
    if not rest:
        raise BadCommand("sed: no input files", _SED)
    if "-e" in rest:
        raise BadCommand("sed: each -e stands in front of the files here.", _SED)
    steps = [_substitution(script) for script in scripts]
    printed = []
    for typed in rest:
        path = _absolute(typed)
        if path not in ns.files:
            near = nearest(path, ns.files)
            hint = f"Did you mean {near[0]}?" if near else "ls / shows what there is."
            raise BadCommand(f"sed: can't read {typed}: No such file or directory", hint)
        text = "".join(_replaced(line, steps) for line in ns.files[path].splitlines(keepends=True))
        if inside:
            ns.files[path] = text
        else:
            printed.append(text)
    return "".join(printed).removesuffix("\n")


def _replaced(line: str, steps: list[tuple[re.Pattern[str], str, int]]) -> str:
    for pattern, new, count in steps:
        line = pattern.sub(lambda _, new=new: new, line, count=count)  # type: ignore[misc]
    return line


def _substitution(script: str) -> tuple[re.Pattern[str], str, int]:
    """What to look for, what to put there, and how often in a line (0: everywhere)."""
    mark = script[1:2]
    parts = re.split(rf"(?<!\\){re.escape(mark)}", script[2:]) if mark else []
    if script[:1] != "s" or len(parts) != 3 or parts[2] not in ("", "g"):
        raise BadCommand(f"sed: '{script}' is not modelled.", f"Here: {_SED}, and s/OLD/NEW/g.")
    old, new = (part.replace(f"\\{mark}", mark) for part in parts[:2])
    if "\\(" in old or re.search(r"\\\d|(?<!\\)&", new):
        raise BadCommand("sed: groups are not modelled.", "Write the text itself.")
    # In a basic regular expression these are plain characters.
    plain = re.sub(r"(?<!\\)([+?|(){}])", r"\\\1", old)
    try:
        return re.compile(plain), new.replace("\\&", "&"), 0 if parts[2] else 1
    except re.error:
        raise BadCommand(f"sed: '{old}' is no regular expression here.", _SED) from None


def _absolute(typed: str) -> str:
    return f"/{posixpath.normpath(f'/{typed}').lstrip('/')}"
