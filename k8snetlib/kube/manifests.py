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
from typing import IO, Any

from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import ClusterSpec
from k8snetlib.kube.fields import Fields, Lines, Place
from k8snetlib.kube.objects import Objects, compose, parse
from k8snetlib.kube.render import objects_of

SUFFIXES = (".yaml", ".yml", ".json")

Loader = Callable[[str, str], Iterator[Any]]


class Noted(UserWarning):
    """Something in the manifests that was read as it is, and that looks like a mistake."""


class PassedOver(UserWarning):
    """Objects in a manifest that this version does not read; the rest has been read."""


# -- reading --------------------------------------------------------------------------------------


def read_manifests(*paths: str | Path) -> ClusterSpec:
    """The cluster that manifests describe.

    Parameters: files (.yaml, .yml, .json) or folders, whose files are read in the order of their
    names. Kinds that are not modelled are passed over, and named in one ``PassedOver`` warning;
    endpoints that are nobody's address are kept, and named in one ``Noted`` warning.
    Raises ``BadManifest`` for what cannot be read; it names file, document, line and field.
    """
    if not paths:
        raise BadManifest("No manifest was named.", "Give a file or a folder.")
    objects = Objects()
    for file in _files(paths):
        load = _json_documents if file.suffix == ".json" else _yaml_documents
        for number, document in enumerate(load(_text(file), str(file)), start=1):
            if document is None:
                continue  # nothing between two lines of dashes
            place = Place(str(file), number)
            if not isinstance(document, dict):
                raise BadManifest(f"{place.at(0)}: must be a mapping, not {document!r:.40}.")
            parse(Fields(document, place), objects)
    spec = compose(objects)
    for category, title, things in (
        (PassedOver, "Passed over", objects.passed_over),
        (Noted, "Noted", objects.notes),
    ):
        if things:
            warnings.warn(_summary(title, things), category, stacklevel=2)
    return spec


def _summary(title: str, things: list[str]) -> str:
    shown = "; ".join(things[:5])
    more = len(things) - 5
    return f"{title}: {shown}{f'; and {more} more' if more > 0 else ''}."


def _files(paths: tuple[str | Path, ...]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file())
            if not inside:
                raise BadManifest(f"{path}: no manifest in this folder.", _SUFFIX_HINT)
            yield from inside
        else:
            yield path


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
    import yaml

    target = Path(folder)
    written = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, documents in objects_of(spec).items():
            path = target / name
            with path.open("w", encoding="utf-8", newline="\n") as stream:
                _dump(yaml, documents, stream)
            written.append(path)
    except OSError as error:
        where = error.filename or target
        raise BadManifest(f"Cannot write {where}: {error.strerror or error}.") from None
    return written


def _dump(yaml: Any, documents: list[dict[str, Any]], stream: IO[str]) -> None:
    yaml.safe_dump_all(
        documents, stream, sort_keys=False, explicit_start=len(documents) > 1, allow_unicode=True
    )
