"""What lives here: ``cat``, ``ls``, ``rm``: the few files of a machine that matter to its network.

Folders are those that the files stand in; there are no others.

Simplified here: no patterns (``*``), no options but ``ls -1``, ``-a``, ``-A`` and ``rm -f``; a name
without a slash in front is looked up from ``/``; nobody lacks a permission, and an empty folder is
gone.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


def run(ns: Netns, words: list[str]) -> str:
    """``cat FILE …``: the files' text, one behind the other."""
    paths = _operands("cat", words, "")
    if not paths:
        raise BadCommand("cat: there is nothing to read here.", "cat FILE …")
    texts = []
    for typed in paths:
        path = _absolute(typed)
        if path not in ns.files:
            if _below(ns, path):
                raise BadCommand(f"cat: {typed}: Is a directory", f"Look into it: ls {typed}.")
            raise _missing(ns, f"cat: {typed}", typed, path)
        texts.append(ns.files[path])
    return "".join(texts).removesuffix("\n")


def ls(ns: Netns, words: list[str]) -> str:
    """``ls [-1aA] [PATH …]``: one name a line, as ``ls`` prints into a pipe."""
    typed_paths = _operands("ls", words, "1aA") or ["/"]
    letters = "".join(word for word in words if word.startswith("-"))
    files, folders = [], []
    for typed in sorted(typed_paths):
        path = _absolute(typed)
        if path in ns.files and not typed.endswith("/"):
            files.append(typed)
        elif path == "/" or _below(ns, path):
            names = [n for n in _below(ns, path) if not n.startswith(".") or letters]
            folders.append((typed, [".", ".."] * ("a" in letters) + names))
        elif path in ns.files:
            raise BadCommand(f"ls: cannot access '{typed}': Not a directory")
        else:
            raise _missing(ns, f"ls: cannot access '{typed}'", typed, path)
    blocks = ["\n".join(files)] if files else []
    for typed, names in folders:
        title = [f"{typed}:"] if len(typed_paths) > 1 else []
        blocks.append("\n".join([*title, *names]))
    return "\n\n".join(blocks)


#: What a shell would have replaced by names before the tool sees it.
PATTERN = set("*?[{")


def rm(ns: Netns, words: list[str]) -> str:
    """``rm [-f] FILE …``: those that are there go, even if another is missing."""
    typed_paths = _operands("rm", words, "f")
    if not typed_paths and "-f" not in words:
        raise BadCommand("rm: missing operand", "rm FILE …")
    refused = []
    for typed in typed_paths:
        path = _absolute(typed)
        if path not in ns.files and set(typed) & PATTERN:
            # With -f nothing would be said, and nothing be done.
            refused.append(_missing(ns, f"rm: cannot remove '{typed}'", typed, path))
        elif path not in ns.files and _below(ns, path):
            refused.append(BadCommand(f"rm: cannot remove '{typed}': Is a directory"))
        elif path not in ns.files and "-f" not in words:
            refused.append(_missing(ns, f"rm: cannot remove '{typed}'", typed, path))
        ns.files.pop(path, None)
    if refused:
        raise BadCommand("\n".join(error.message for error in refused), refused[0].hint)
    return ""


def _operands(tool: str, words: list[str], letters: str) -> list[str]:
    for word in words:
        if word.startswith("-") and (word == "-" or set(word[1:]) - set(letters)):
            here = f"Here: -{', -'.join(letters)}." if letters else "Here: names of files only."
            raise BadCommand(f"{tool}: '{word}' is not modelled.", here)
    return [word for word in words if not word.startswith("-")]


def _absolute(typed: str) -> str:
    path = posixpath.normpath(f"/{typed}")
    return f"/{path.lstrip('/')}"


def _below(ns: Netns, folder: str) -> list[str]:
    """The names in a folder, in the order of their bytes; none if there is no such folder."""
    start = folder.rstrip("/") + "/"
    inside = (path[len(start) :] for path in ns.files if path.startswith(start))
    return sorted({name.partition("/")[0] for name in inside})


def _missing(ns: Netns, subject: str, typed: str, path: str) -> BadCommand:
    if set(typed) & PATTERN:
        hint = "This prompt has no patterns: write the name itself."
    else:
        near = nearest(path, ns.files)
        hint = f"Did you mean {near[0]}?" if near else "ls / shows what there is."
        if not ns.files:
            hint = f"{ns.name} has no files here."
    return BadCommand(f"{subject}: No such file or directory", hint)
