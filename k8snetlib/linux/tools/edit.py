"""What lives here: ``tee`` and ``sed``: the files of a machine, written and changed.

    tee [-a] FILE … <<EOF          writes (or appends) a text, and prints it
    sed [-i] 's/OLD/NEW/[g]' FILE …   replaces in every line; with -i in the file itself
    sed [-i] '/OLD/d' FILE …          leaves out every line that fits; ';' stands between commands

A daemon reads its file when it starts, so what is written here shows after a restart.

Simplified here: of ``sed`` only the commands ``s`` and ``/…/d``, with basic regular expressions
without groups; a folder is there as soon as a file stands in it. Source: tee(1), sed(1).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadCommand, nearest

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_SED = "sed -i 's/OLD/NEW/' FILE"
_HERE = f"{_SED}, s/OLD/NEW/g, /OLD/d, and ';' between two."


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
    """``sed [-i] [-e] 's/OLD/NEW/[g]; /OLD/d' FILE …``"""
    inside = "-i" in words
    named = [words[at] for at in range(1, len(words)) if words[at - 1] == "-e"]
    rest = [word for word in words if word not in ("-i", "-e", *named)]
    if named:
        rest.insert(0, ";".join(named))
    unknown = [word for word in rest if word.startswith("-")]
    if unknown:
        raise BadCommand(f"sed: '{unknown[0]}' is not modelled.", f"Here: {_SED}")
    if len(rest) < 2:
        raise BadCommand("sed: no input files", _SED)
    edits = tuple(_edits(rest[0]))
    printed = []
    for typed in rest[1:]:
        path = _absolute(typed)
        if path not in ns.files:
            near = nearest(path, ns.files)
            hint = f"Did you mean {near[0]}?" if near else "ls / shows what there is."
            raise BadCommand(f"sed: can't read {typed}: No such file or directory", hint)
        text = "".join(_edited(line, edits) for line in ns.files[path].splitlines(keepends=True))
        if inside:
            ns.files[path] = text
        else:
            printed.append(text)
    return "".join(printed).removesuffix("\n")


class _Edit(NamedTuple):
    """What to look for; what to put there (None: the line goes); how often (0: everywhere)."""

    pattern: re.Pattern[str]
    new: str | None
    most: int


def _edited(line: str, edits: tuple[_Edit, ...]) -> str:
    for edit in edits:
        if edit.new is not None:
            plain = edit.new.replace("\\", r"\\")
            line = edit.pattern.sub(plain, line, count=edit.most)
        elif edit.pattern.search(line):
            return ""
    return line


def _edits(script: str) -> Iterator[_Edit]:
    """The commands of a script, between ``;`` or in lines of their own."""
    left = script.strip("; \n")
    while left:
        letter, mark = ("s", left[1:2]) if left[:1] == "s" else ("", "/")
        text = rf"((?:\\.|(?!{re.escape(mark)}).)*){re.escape(mark)}"
        shape = f"s{re.escape(mark)}{text}{text}(g?)" if letter else f"/{text}(d)"
        found = re.match(rf"{shape} *(?=;|\n|$)", left) if mark else None
        if found is None:
            raise BadCommand(f"sed: '{script}' is not modelled.", f"Here: {_HERE}")
        *texts, flag = found.groups()
        old, *new = (one.replace(f"\\{mark}", mark) for one in texts)
        yield _edit(old, new[0] if new else None, flag)
        left = left[found.end() :].strip("; \n")


def _edit(old: str, new: str | None, flag: str) -> _Edit:
    if "\\(" in old or (new and re.search(r"\\\d|(?<!\\)&", new)):
        raise BadCommand("sed: groups are not modelled.", "Write the text itself.")
    # In a basic regular expression these are plain characters.
    plain = re.sub(r"(?<!\\)([+?|(){}])", r"\\\1", old)
    try:
        pattern = re.compile(plain)
    except re.error:
        raise BadCommand(f"sed: '{old}' is no regular expression here.", _SED) from None
    return _Edit(pattern, new and new.replace("\\&", "&"), 0 if flag else 1)


def _absolute(typed: str) -> str:
    return f"/{posixpath.normpath(f'/{typed}').lstrip('/')}"
