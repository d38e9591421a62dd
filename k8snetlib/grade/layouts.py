"""What lives here: the submissions of a class, found in whatever folder a teacher has.

Whose a file is, by the first rule that fits (``_who``); paths are those below the given folder:

1. **Listed**: ``meta.json`` or ``meta.yml`` beside the files, a list of ``identifier`` and
   ``filename`` (otter's form). The identifier is the learner.
2. **Moodle**, "Download all submissions": ``Ada Lovelace_12345_assignsubmission_file_/x.ipynb``,
   or the same as a file name. The learner is ``Ada Lovelace_moodle12345``: two may share a name.
3. **nbgrader**: ``submitted/LEARNER/ASSIGNMENT/x.ipynb``. The learner is the folder's name.
4. **Canvas**, "Download Submissions": ``lovelaceada_LATE_123_4567_x.ipynb``. The learner is
   ``lovelaceada_canvas123``; ``LATE`` is not part of it, an anonymous one is ``anon_…``.
5. **A folder each**: ``LEARNER/…/x.ipynb``. The learner is the first folder's name.
6. **Flat**: ``LEARNER.ipynb`` or ``LEARNER_04.ipynb``. A zip in the place of a notebook (otter's
   export, the work of this course) is its learner's, with all notebooks in it.

Which exercise a notebook is for, its cells say (``k8snet`` marks, cell ids, first lines); a file's
name counts only where they are silent. Nobody's file is lost: what cannot be told is a refused row
with a status. Two different files for one learner and exercise are ``ambiguous``, and a person
decides; the same bytes twice are one file. Links are not followed, hidden files and checkpoints are
passed over.

What may not live here: answers, judgement.

Source: nbgrader ``coursedir.py``, otter-grader ``docs/workflow``, Canvas ``lib/content_zipper.rb``,
Moodle ``mod/assign/locallib.php``.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from k8snetlib.course.exercise import all_exercises
from k8snetlib.errors import K8sNetError
from k8snetlib.grade.marks import SEVERAL, exercise_in_name, exercise_in_notebook
from k8snetlib.grade.record import Graded, Submission
from k8snetlib.grade.unpack import BadArchive, is_hidden, of_one_learner, unpack

MAX_FILES = 100_000
MAX_DEPTH = 10
MAX_NAME = 120

_MOODLE = re.compile(
    r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<rest>.*))?"
)
_CANVAS = re.compile(r"(?P<name>[^\W_].*?)(?:_LATE)?_(?P<user>\d+)_\d{3,}_(?P<rest>.+)")
_ANONYMOUS = re.compile(r"(?:LATE_)?anon_(?P<user>\w+?)_\d{3,}_(?P<rest>.+)")
_COPY = re.compile(r" ?\(\d+\)$")
_LISTS = ("meta.json", "meta.yml", "meta.yaml")
_NO_NOTEBOOK = "There is no notebook (.ipynb) in what was handed in."


class BadLayout(K8sNetError):
    """A path that is not there, or a folder in which nobody could find anything."""


class Found(NamedTuple):
    """What a teacher's paths hold.

    ``submissions`` can be graded; ``refused`` are rows of the gradebook that cannot; ``left_out``
    says of every other file, one line each, why it is neither. ``names`` maps the path of each
    submission to the name by which a teacher knows it: below the given folder, or inside a zip.
    """

    submissions: tuple[Submission, ...]
    refused: tuple[Graded, ...]
    left_out: tuple[str, ...]
    names: Mapping[Path, str]


class _File(NamedTuple):
    """A file, the names below the given folder that say whose it is, and what is wrong with it."""

    path: Path
    parts: tuple[str, ...]
    shown: str
    fault: str = ""
    listed: str = ""


def find_submissions(
    paths: Iterable[Path],
    unpack_to: Path,
    known: Collection[str] | None = None,
    exercise: str = "",
) -> Found:
    """Finds all submissions below some paths (notebooks, folders, zips).

    Parameters: ``unpack_to`` is a folder of our own for what is in zips; ``known`` are the ids of
    the exercises (default: the course's); ``exercise`` says that all are for this one. Raises
    ``BadLayout`` for a path that is not there and for more than ``MAX_FILES`` files.
    """
    ids = known if known is not None else [exercise.id for exercise in all_exercises()]
    files: list[_File] = []
    left_out: list[str] = []
    for path in paths:
        files += _given(Path(path), unpack_to, left_out)
    return _sorted_out(files, left_out, ids, exercise)


def _given(path: Path, unpack_to: Path, left_out: list[str]) -> list[_File]:
    """The files of one path that the teacher named."""
    path = path.absolute()
    if path.is_dir():
        return _from_folder(path, _home(path), unpack_to, left_out)
    if not path.is_file():
        raise BadLayout(f"There is no file or folder {path}.")
    if path.suffix.lower() != ".zip":
        return [_File(path, (*_home(path.parent), path.name), path.name)]
    whole = not _own(path)
    return _from_zip(_File(path, (path.name,), path.name), unpack_to, whole=whole)


def _own(path: Path) -> bool:
    try:
        return of_one_learner(path)
    except BadArchive:
        return True


def _home(folder: Path) -> tuple[str, ...]:
    """The names above a given folder that already say whose its files are."""
    for at in range(len(folder.parts) - 1, 0, -1):
        if folder.parts[at] == "submitted":
            return folder.parts[at + 1 :]
        if _MOODLE.fullmatch(folder.parts[at]):
            return folder.parts[at:]
    return ()


def _from_folder(
    root: Path, home: tuple[str, ...], unpack_to: Path, left_out: list[str]
) -> list[_File]:
    # Beside `submitted`, a course folder of nbgrader holds the release and the solutions.
    if (root / "submitted").is_dir() and not (root / "submitted").is_symlink():
        root = root / "submitted"
    listed = _listed(root)
    found = []
    for path, fault in _walk(root, left_out):
        below = path.relative_to(root).parts
        file = _File(path, (*home, *below), "/".join(below), fault, listed.get(path.name, ""))
        if path.suffix.lower() == ".zip" and not fault:
            found += _from_zip(file, unpack_to)
        elif not (len(below) == 1 and path.name in _LISTS):
            found.append(file)
    return found


def _walk(root: Path, left_out: list[str]) -> Iterator[tuple[Path, str]]:
    """Every file below a folder, by name, and what is wrong with it; no link is followed."""
    waiting = [(root, 0)]
    seen = 0
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            left_out.append(f"{folder.relative_to(root)}: cannot be opened ({error.strerror}).")
            continue
        for entry in entries:
            seen += 1
            if seen > MAX_FILES:
                raise BadLayout(
                    f"{root} holds more than {MAX_FILES:,} files.", "Name a smaller folder."
                )
            path = Path(entry.path)
            if is_hidden((entry.name,)):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH:
                    waiting.append((path, depth + 1))
                else:
                    left_out.append(f"{path.relative_to(root)}: too many folders deep.")
            else:
                yield path, _fault(path)


def _fault(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "It is a link to another place, and links are not followed."
    return "" if stat.S_ISREG(mode) else "It is not a regular file."


def _listed(root: Path) -> dict[str, str]:
    """Learners by file name, from otter's list; empty if there is none that can be read."""
    for name in _LISTS:
        if (root / name).is_file():
            import yaml  # JSON is YAML, too

            try:
                rows = yaml.safe_load((root / name).read_text(encoding="utf-8"))
                return {str(row["filename"]): str(row["identifier"]) for row in rows}
            except (yaml.YAMLError, KeyError, TypeError, OSError, UnicodeDecodeError) as error:
                hint = "It must be a list of 'identifier' and 'filename'."
                raise BadLayout(f"{root / name} cannot be read.", hint) from error
    return {}


def _from_zip(zipped: _File, unpack_to: Path, *, whole: bool = False) -> list[_File]:
    """The notebooks of a zip. ``whole``: of a whole class, so the names inside say whose each is;
    else all are of the learner whose zip it is."""
    into = unpack_to / f"{len(list(unpack_to.glob('*'))) if unpack_to.is_dir() else 0:05d}"
    into.mkdir(parents=True)
    try:
        members = unpack(zipped.path, into, (".ipynb", ".zip") if whole else (".ipynb",))
    except BadArchive as error:
        return [zipped._replace(fault=str(error))]
    found = []
    for member in members:
        shown = f"{zipped.shown}/{'/'.join(member.parts)}"
        parts = member.parts if whole else zipped.parts
        fault = f"In the zip, {member.why}." if member.why else ""
        file = _File(member.path or zipped.path, parts, shown, fault, zipped.listed)
        nested = whole and member.path and member.path.suffix == ".zip"
        found += _from_zip(file, unpack_to) if nested else [file]
    return found or [zipped._replace(fault=_NO_NOTEBOOK)]


def _who(parts: tuple[str, ...], known: Collection[str]) -> tuple[str, str]:
    """The learner, and the exercise that the file's name tells (the rules are at the top)."""
    *folders, name = parts
    stem = _COPY.sub("", name[: -len(Path(name).suffix)] if Path(name).suffix else name)
    for part in (*folders, stem):
        if moodle := _MOODLE.fullmatch(part):
            rest = moodle["rest"] or "" if part == stem else stem
            return f"{moodle['name']}_moodle{moodle['id']}", exercise_in_name(rest, known)[1]
    if anonymous := _ANONYMOUS.fullmatch(stem):
        return f"anon_{anonymous['user']}", exercise_in_name(anonymous["rest"], known)[1]
    if canvas := _CANVAS.fullmatch(stem):
        learner = f"{canvas['name']}_canvas{canvas['user']}"
        return learner, exercise_in_name(canvas["rest"], known)[1]
    plain, said = exercise_in_name(stem, known)
    return (folders[0] if folders else plain), said


def _clean(learner: str) -> str:
    """A name that is safe to print: one form of each letter, no control characters."""
    text = unicodedata.normalize("NFC", learner)
    text = "".join("_" if unicodedata.category(c).startswith("C") else c for c in text).strip()
    return text[:MAX_NAME] or "unnamed"


def _identity(file: _File, known: Collection[str], only: str) -> tuple[str, str]:
    """The learner and the exercise of a file; the exercise may be ``""`` or ``SEVERAL``."""
    learner, said = _who(file.parts, known)
    learner = _clean(file.listed or learner)
    if only:
        return learner, only
    inside = "" if file.fault else exercise_in_notebook(file.path, known)
    *folders, name = file.shown.split("/")
    inner = [] if name == file.parts[-1] else [Path(name).stem]  # the name inside a zip
    for part in (*inner, *reversed(folders)):
        said = said or exercise_in_name(part, known)[1]
    return learner, inside or said


def _sorted_out(
    files: list[_File], left_out: list[str], known: Collection[str], only: str
) -> Found:
    good: dict[tuple[str, str], list[_File]] = defaultdict(list)
    refused: list[Graded] = []
    others: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        if not file.shown.lower().endswith((".ipynb", ".zip")):
            others[_identity(file, known, only)[0]].append(file)
            continue
        learner, exercise = _identity(file, known, only)
        if file.fault:
            status = "not-a-notebook" if file.fault == _NO_NOTEBOOK else "unreadable"
            number = "" if exercise == SEVERAL else exercise
            refused.append(Graded(learner, number, file.shown, status, file.fault))
        else:
            good[learner, exercise].append(file)
    submissions: list[Submission] = []
    names: dict[Path, str] = {}
    for (learner, exercise), rivals in sorted(good.items()):
        one = _one_of(rivals, left_out)
        if exercise in known and one:
            submissions.append(Submission(learner, exercise, one.path))
            names[one.path] = one.shown
        else:
            refused += _refusals(learner, exercise, rivals, good, left_out)
    there = {s.learner for s in submissions} | {g.learner for g in refused}
    for learner, rest in sorted(others.items()):
        refused += _without_notebook(learner, rest, there, left_out)
    order = sorted(refused, key=lambda g: (g.learner, g.exercise, g.source))
    return Found(tuple(submissions), tuple(order), tuple(left_out), names)


def _one_of(rivals: list[_File], left_out: list[str]) -> _File | None:
    """The file, if all rivals hold the same bytes."""
    first = rivals[0]
    if len(rivals) > 1:
        try:
            if len({file.path.read_bytes() for file in rivals}) > 1:
                return None
        except OSError:
            return None
        left_out += [f"{file.shown}: the same as {first.shown}." for file in rivals[1:]]
    return first


def _refusals(
    learner: str,
    exercise: str,
    rivals: list[_File],
    good: Mapping[tuple[str, str], list[_File]],
    left_out: list[str],
) -> list[Graded]:
    sources = ", ".join(file.shown for file in rivals)
    if exercise not in ("", SEVERAL):
        text = f"{len(rivals)} different files are here for exercise {exercise}. Keep one."
        return [Graded(learner, exercise, sources, "ambiguous", text)]
    if not exercise and any(who == learner and number for who, number in good):
        # A notebook for rough work, beside one that was found.
        left_out += [f"{file.shown}: no answer of an exercise is in it." for file in rivals]
        return []
    text = (
        "No cell and no name says which exercise this is."
        if not exercise
        else "Its cells belong to several exercises. Keep one exercise in a notebook."
    )
    return [Graded(learner, "", file.shown, "unknown-exercise", text) for file in rivals]


def _without_notebook(
    learner: str, rest: list[_File], there: Collection[str], left_out: list[str]
) -> list[Graded]:
    """Other files: a row if a learner handed in nothing else, in a layout that names learners."""
    named = [file for file in rest if file.listed or _names_learner(file)]
    if named and learner not in there:
        shown = ", ".join(file.shown for file in named)
        return [Graded(learner, "", shown, "not-a-notebook", _NO_NOTEBOOK)]
    left_out += [f"{file.shown}: not a notebook." for file in rest]
    return []


def _names_learner(file: _File) -> bool:
    # nbgrader itself writes timestamp.txt.
    deep = len(file.parts) > 1 and file.parts[-1] != "timestamp.txt"
    stem = Path(file.parts[-1]).stem
    return deep or bool(_CANVAS.fullmatch(stem) or _MOODLE.fullmatch(stem))
