"""What lives here: a learner's work as one file, to download from Binder and to bring back.

``export_work`` writes a zip with the progress and every exercise notebook; ``restore_work`` reads
one. Restoring loses nothing: progress is merged, a notebook that would be replaced is kept beside
the new one. Only names that this course knows are read from the file.

What may not live here: anything from outside the course folder.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from k8snetlib.course.exercise import Exercise, all_exercises, course_root
from k8snetlib.course.notebook import MAX_BYTES, BadNotebook, parse_notebook
from k8snetlib.course.progress import FILE, BadProgress, dump, parse, store_for
from k8snetlib.errors import K8sNetError

WORK = "k8snet-work.zip"


class BadBackup(K8sNetError):
    """A file that is not the work of this course."""


def _inside(exercise: Exercise) -> str:
    return f"exercises/{exercise.folder.name}/{exercise.notebook.name}"


def export_work(path: str | Path = WORK, root: Path | None = None) -> Path:
    """Writes progress and exercise notebooks into one zip file and returns its path."""
    root = root or course_root()
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE, dump(store_for(root).read()))
            for exercise in all_exercises(root):
                if exercise.notebook.is_file():
                    archive.write(exercise.notebook, _inside(exercise))
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadBackup(f"{target} cannot be written: {error.strerror}.") from None
    return target


def restore_work(path: str | Path = WORK, root: Path | None = None) -> tuple[str, ...]:
    """Takes in what ``export_work`` wrote; returns what was done, one sentence each.

    Raises ``BadBackup`` if the file is not such a zip; then nothing was changed.
    """
    root = root or course_root()
    try:
        with zipfile.ZipFile(path) as archive:
            state = parse(_read(archive, FILE).decode("utf-8"))
            names = set(archive.namelist())
            books = {
                exercise: _read(archive, _inside(exercise))
                for exercise in all_exercises(root)
                if _inside(exercise) in names
            }
        for exercise, data in books.items():
            parse_notebook(data, _inside(exercise))
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no file of export_work()"
        raise BadBackup(f"{path} cannot be used: {why}.") from None
    except (BadProgress, BadNotebook) as error:
        raise BadBackup(f"{path} cannot be used. {error.message}") from None
    store = store_for(root)
    store.merge(state)
    done = [f"Progress of {len(state)} tasks is merged.", *store.take_news()]
    done += [line for exercise, data in books.items() for line in _put(exercise, data)]
    return tuple(done)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise BadBackup(f"{name} in the file is larger than {MAX_BYTES:,} bytes.")
    return archive.read(name)


def _put(exercise: Exercise, data: bytes) -> list[str]:
    book = exercise.notebook
    if book.is_file():
        if book.read_bytes() == data:
            return []
        number = 1
        while (aside := book.with_name(f"{book.name}.before-restore-{number}")).exists():
            number += 1
        aside.write_bytes(book.read_bytes())
    part = book.with_name(book.name + ".part")
    part.write_bytes(data)
    os.replace(part, book)
    return [f"{exercise.folder.name}: notebook restored. The one before is kept beside it."]
