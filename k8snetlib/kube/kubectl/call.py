"""What lives here: one call of kubectl: its flags, and the objects that its words name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.kube.apiserver import Stored, api_server
from k8snetlib.kube.kubectl.kinds import ALL, Kind, kind_named, kind_of
from k8snetlib.kube.kubectl.selector import Selector, read_selector

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

#: The flags of every verb.
GLOBAL = {"namespace": "text", "all-namespaces": "bool", "selector": "text", "output": "text"}
_SHORT = {
    "-n": "namespace", "-A": "all-namespaces", "-l": "selector", "-o": "output", "-f": "filename",
    "-p": "patch", "-i": "stdin", "-t": "tty", "-c": "container",
}  # fmt: skip


class Found(NamedTuple):
    """An object, with its kind and what the API server knows about it besides."""

    kind: Kind
    value: Any
    stored: Stored

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.value.name)

    @property
    def namespace(self) -> str:
        """Its namespace; empty for a Node."""
        return str(getattr(self.value, "namespace", ""))

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        from k8snetlib.kube.kubectl.documents import labels_of

        return labels_of(self.value)


class Call:
    """What was typed. Parameters: the network; the machine; the verb; the other ``words``; the
    verb's own ``flags``; the text for ``-f -``."""

    def __init__(
        self, network: Network, host: str, verb: str, words: list[str],
        flags: Mapping[str, str], stdin: str,
    ) -> None:  # fmt: skip
        self.network, self.host, self.verb, self.stdin = network, host, verb, stdin
        self.api = api_server(network)
        self.flags: dict[str, str] = {}
        self.words: list[str] = []
        self.behind: list[str] | None = None
        self._known = {**GLOBAL, **flags}
        self._read(words)

    def _read(self, words: list[str]) -> None:
        line = list(words)
        while line:
            word = line.pop(0)
            if word == "--":
                self.behind = line
                return
            if not word.startswith("-") or word == "-":
                self.words.append(word)
                continue
            if word == "-it":
                line = ["-i", "-t", *line]
                continue
            name, assign, value = word.partition("=")
            if name[1] != "-" and name not in _SHORT and name[:2] in _SHORT:  # -nNAME
                name, assign, value = name[:2], "=", word[2:]
            name = _SHORT.get(name, name.removeprefix("--"))
            takes = self._known.get(name)
            if takes is None:
                letter = not word.startswith("--")
                said = f"unknown shorthand flag: '{word[1]}' in {word}" if letter else (
                    f"unknown flag: {word.partition('=')[0]}")  # fmt: skip
                known = ", ".join(f"--{flag}" for flag in self._known)
                raise BadCommand(f"Error: {said}\nSee 'kubectl {self.verb} --help' for usage.",
                                 f"Here: {known}.")  # fmt: skip
            if takes == "bool":
                self.flags[name] = value if assign else "true"
            elif assign:
                self.flags[name] = value
            elif line:
                self.flags[name] = line.pop(0)
            else:
                raise BadCommand(f"error: flag needs an argument: {word}")

    # -- flags ----------------------------------------------------------------------------------

    def on(self, flag: str) -> bool:
        """Is a flag set that is on or off?"""
        return self.flags.get(flag, "false") == "true"

    def text(self, flag: str, default: str = "") -> str:
        """What a flag says."""
        return self.flags.get(flag, default)

    @property
    def namespace(self) -> str:
        """The namespace that is meant."""
        return self.text("namespace", "default")

    @property
    def selector(self) -> Selector | None:
        """What ``-l`` asks for."""
        return read_selector(self.flags["selector"]) if "selector" in self.flags else None

    # -- objects --------------------------------------------------------------------------------

    def kinds_and_names(self) -> list[tuple[Kind, str]]:
        """The objects that the words name: ``KIND NAME …``, ``KIND/NAME …``, ``KIND,KIND``; an
        empty name stands for all objects of the kind."""
        if not self.words:
            start = "" if self.verb == "get" else "error: "
            raise BadCommand(
                f'{start}You must specify the type of resource to {self.verb}. Use "kubectl '
                'api-resources" for a complete list of supported resources.',
                f"kubectl {self.verb} pods",
            )
        if any("/" in word for word in self.words):
            pairs = [word.partition("/") for word in self.words]
            if not all(slash and name for _, slash, name in pairs):
                raise BadCommand(
                    "error: there is no need to specify a resource type as a separate argument "
                    "when passing arguments in resource/name form (e.g. 'kubectl get "
                    "resource/<resource_name>' instead of 'kubectl get resource "
                    "resource/<resource_name>'"
                )
            return [(kind_named(kind), name) for kind, _, name in pairs]
        kinds = [kind for word in self.words[0].split(",") for kind in _kinds(word)]
        names = self.words[1:] or [""]
        return [(kind, name) for kind in kinds for name in names]

    def objects(self, kind: Kind, name: str = "") -> list[Found]:
        """The objects of a kind, or the one of that name; raises ``BadCommand`` if there is none
        of that name."""
        from k8snetlib.kube.kubectl.endpoints import endpoints_of

        every = not kind.namespaced or (self.on("all-namespaces") and not name)
        namespace = "" if not kind.namespaced else self.namespace
        if kind.type is None:
            found = list(endpoints_of(self.api, None if every else namespace))
        else:
            values = self.api.list(kind.type, None if every else namespace)
            found = [self.found(value) for value in values if kind_of(value) == kind]
        if name:
            named = [each for each in found if each.name == name]
            if not named:
                raise not_found(kind, name, [each.name for each in found])
            return named
        wanted = self.selector
        return [each for each in found if wanted is None or wanted.fits(each.labels)]

    def found(self, value: Any) -> Found:
        """A value with what the API server knows of it."""
        kind = kind_of(value)
        namespace = getattr(value, "namespace", "")
        return Found(kind, value, self.api.stored(type(value), namespace, kind.key(value.name)))

    def named(self) -> Iterator[Found]:
        """All objects that the words name; without a name all of their kind that ``-l`` picks (or
        ``--all``)."""
        for kind, name in self.kinds_and_names():
            if not name and "selector" not in self.flags and not self.on("all"):
                raise BadCommand(
                    "error: resource(s) were provided, but no name was specified",
                    f"kubectl {self.verb} {kind.name} NAME",
                )
            yield from self.objects(kind, name)


def _kinds(word: str) -> tuple[Kind, ...]:
    return ALL if word == "all" else (kind_named(word),)


def not_found(kind: Kind, name: str, known: list[str]) -> BadCommand:
    """The API server's answer to a name that it does not know."""
    near = nearest(name, known) or known[:8]
    hint = f"There is {', '.join(near)}." if near else ""
    return BadCommand(f'Error from server (NotFound): {kind.resource} "{name}" not found', hint)
