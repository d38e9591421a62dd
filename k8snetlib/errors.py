"""What lives here: the errors of this library. A packet's bad fate is never one of them.

A packet that is dropped is a *result* (see ``trace.Exchange.outcome``). An exception means that
the caller asked for something that cannot be: an unknown name, a malformed address, a header stack
that no wire can carry. Every error says in one sentence what was wrong and, in ``hint``, what
would be right.
"""

from __future__ import annotations

from collections.abc import Iterable


class K8sNetError(Exception):
    """Base of all errors of this library.

    Parameters: ``message`` says what was wrong, ``hint`` what would be right (may be empty).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class BadAddress(K8sNetError):
    """An IPv4 address, prefix or MAC address that cannot be parsed."""


class BadPacket(K8sNetError):
    """A header stack that no wire can carry, or a header field out of its range."""


class UnknownName(K8sNetError):
    """A name that nothing in the cluster has, or that more than one thing has."""


class BadCommand(K8sNetError):
    """A command line that the prompt does not know, or knows with other words."""


class BadManifest(K8sNetError):
    """A manifest that cannot be read; the message names file and field."""


class BadDump(K8sNetError):
    """What a real machine printed cannot be read; the message names file and line."""


class NotModelled(K8sNetError):
    """Something real that this version of the model does not carry yet."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names closest to ``name``, best first (at most ``limit``)."""
    import difflib  # imported only when something went wrong: keeps `import k8snetlib` quick

    return difflib.get_close_matches(name, list(known), n=limit, cutoff=0.4)


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownName:
    """An ``UnknownName`` whose hint lists the nearest known names, or all of a short list."""
    names = sorted(set(known))
    near = nearest(name, names)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif names:
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        hint = f"Known: {shown}."
    else:
        hint = ""
    return UnknownName(f"There is no {what} called '{name}'.", hint)
