"""What lives here: manifests as files: YAML or JSON in, YAML out.

``read_manifests`` takes files and folders as ``kubectl apply -f`` does, and ``write_manifests``
writes a cluster so that reading it gives an equal one. This is one of the two places of the library
that touch files. PyYAML is imported only when a YAML file is read or written.

What may not live here: what the objects mean (see ``objects`` and ``network``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import ClusterSpec
from k8snetlib.kube.compose import compose
from k8snetlib.kube.fields import Fields, Lines, Place
from k8snetlib.kube.objects import Objects, parse
from k8snetlib.kube.render import objects_of

SUFFIXES = (".yaml", ".yml", ".json")

Loader = Callable[[str, str], Iterator[Any]]


class Noted(UserWarning):
    """Something in the manifests that was read as it is, and that looks like a mistake."""


class FilledIn(UserWarning):
    """What a cluster would have assigned and the manifests did not say: nodes, addresses."""


class PassedOver(UserWarning):
    """What is left out of the manifests: kinds that are not modelled, pods that have ended …"""


# -- reading --------------------------------------------------------------------------------------


def read_manifests(*paths: str | Path) -> ClusterSpec:
    """The cluster that manifests describe.

    Parameters: files (.yaml, .yml, .json) or folders, whose files are read in the order of their
    names; folders in them are not. Raises ``BadManifest`` for what cannot be read; it names file,
    document, line and field.

    Three warnings, one each at most, say what is not as it was written: ``FilledIn`` what a cluster
    would have assigned (see ``assigned``), ``PassedOver`` what was left out, ``Noted`` what looks
    like a mistake, such as an endpoint that is nobody's address.
    """
    if not paths:
        raise BadManifest("No manifest was named.", "Give a file or a folder.")
    objects = Objects()
    for file in _files(paths, objects.passed_over):
        load = _json_documents if file.suffix == ".json" else _yaml_documents
        for number, document in enumerate(load(_text(file), str(file)), start=1):
            if document is None:
                continue  # nothing between two lines of dashes
            place = Place(str(file), number)
            if not isinstance(document, dict):
                raise BadManifest(f"{place.at(0)}: must be a mapping, not {document!r:.40}.")
            parse(Fields(document, place), objects)
    if not objects.places:
        raise BadManifest(f"There is no object in {', '.join(map(str, paths))}.", _OBJECT_HINT)
    composed = compose(objects)
    for category, title, things in (
        (FilledIn, "Filled in", composed.filled_in),
        (PassedOver, "Passed over", composed.passed_over),
        (Noted, "Noted", composed.noted),
    ):
        if things:
            warnings.warn(_summary(title, things), category, stacklevel=2)
    return composed.spec


_OBJECT_HINT = "A cluster needs pods: give Deployments, Pods, Services, Nodes."


def documents(text: str, name: str) -> list[dict[str, Any]]:
    """The documents of a text, YAML or JSON; ``name`` is what errors call it. Raises
    ``BadManifest``."""
    is_json = name.endswith(".json") or text.lstrip().startswith("{")
    found = (_json_documents if is_json else _yaml_documents)(text, name)
    kept = [document for document in found if document is not None]
    for number, document in enumerate(kept, start=1):
        if not isinstance(document, dict):
            raise BadManifest(
                f"{Place(name, number).at(0)}: must be a mapping, not {document!r:.40}."
            )
    return kept


def documents_in(path: str) -> list[dict[str, Any]]:
    """The documents of a file, or of all files of a folder. Raises ``BadManifest``."""
    files = list(_files((path,), []))
    return [document for file in files for document in documents(_text(file), str(file))]


def _summary(title: str, things: list[str]) -> str:
    shown = "; ".join(things[:5])
    more = len(things) - 5
    return f"{title}: {shown}{f'; and {more} more' if more > 0 else ''}."


def _files(paths: tuple[str | Path, ...], passed_over: list[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(path.iterdir())
            manifests = [p for p in inside if p.suffix in SUFFIXES and p.is_file()]
            # These two are for other programs, and no objects of a cluster.
            others = [p for p in manifests if p.stem in ("kustomization", "values")]
            below = [p for p in inside if p.is_dir() and _has_manifests(p)]
            if len(manifests) == len(others):
                near = f" Or name {below[0]}." if below else ""
                raise BadManifest(f"{path}: no manifest in this folder.", _SUFFIX_HINT + near)
            passed_over += [str(p) for p in others]
            passed_over += [f"the folder {p}" for p in below]
            yield from (p for p in manifests if p not in others)
        else:
            yield path


def _has_manifests(folder: Path) -> bool:
    return any(p.suffix in SUFFIXES for p in folder.iterdir())


_SUFFIX_HINT = f"Manifests end in {', '.join(SUFFIXES)}."


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadManifest(
            f"{file}: {error.strerror or error}.", "Name a file or a folder."
        ) from None
    except UnicodeDecodeError:
        raise BadManifest(f"{file}: this is not UTF-8 text.", _SUFFIX_HINT) from None


def _json_documents(text: str, file: str) -> Iterator[Any]:
    import json

    try:
        yield json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadManifest(f"{file}: this is not JSON: {error}.") from None


def _yaml_documents(text: str, file: str) -> Iterator[Any]:
    import yaml

    try:
        yield from yaml.load_all(text, Loader=_yaml_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise BadManifest(f"{file}{line}: this is not YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadManifest(f"{file}: this is not YAML: {error}.") from None


_yaml_loaders: list[Any] = []


def _yaml_loader() -> Any:
    """PyYAML's safe loader, that notes lines and refuses a key that stands twice."""
    if _yaml_loaders:
        return _yaml_loaders[0]
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class LineLoader(base):  # type: ignore[misc]
        pass

    def mapping(loader: Any, node: Any) -> Lines:
        own: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in own:
                problem = f"the key '{key.value}' stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            own.add(str(key.value))
        loader.flatten_mapping(node)
        found = Lines()
        found.line = node.start_mark.line + 1
        for key, value in node.value:
            name = str(loader.construct_object(key, deep=True))
            found[name] = loader.construct_object(value, deep=True)
            found.lines[name] = key.start_mark.line + 1
        return found

    LineLoader.add_constructor("tag:yaml.org,2002:map", mapping)
    # A time is text here: nothing of ours calculates with it.
    LineLoader.add_constructor("tag:yaml.org,2002:timestamp", base.construct_yaml_str)
    _yaml_loaders.append(LineLoader)
    return LineLoader


# -- writing --------------------------------------------------------------------------------------


def write_manifests(spec: ClusterSpec, folder: str | Path) -> list[Path]:
    """Writes a cluster's objects into a folder, one file a kind, and returns the files' paths.

    The folder is made if it is missing. Raises ``BadManifest`` if that, or writing, fails.
    """
    target = Path(folder)
    written = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in manifest_texts(spec).items():
            path = target / name
            path.write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    except OSError as error:
        where = error.filename or target
        raise BadManifest(f"Cannot write {where}: {error.strerror or error}.") from None
    return written


def manifest_texts(spec: ClusterSpec) -> dict[str, str]:
    """A cluster's objects as YAML: a file's name -> its text, one file a kind."""
    return {name: yaml_of(documents) for name, documents in objects_of(spec).items()}


def yaml_of(documents: list[dict[str, Any]]) -> str:
    """Documents as YAML, their keys in the order in which people write them."""
    import yaml

    text: str = yaml.safe_dump_all(
        documents, sort_keys=False, explicit_start=len(documents) > 1, allow_unicode=True
    )
    return text
