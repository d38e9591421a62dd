"""What lives here: a zip file that a stranger made, unpacked without trust.

Only notebooks come out (and zips, where a zip of a whole class holds one per learner), each into a
place of our own making: its path inside the archive gives the names, never the place. Sizes are
counted while bytes come out; what an archive says about itself is no proof.

What may not live here: who handed it in, which exercise it is (``layouts``).
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from k8snetlib.course.notebook import MAX_BYTES
from k8snetlib.errors import K8sNetError

MAX_MEMBERS = 20_000
MAX_TOTAL = 1_000_000_000
_CHUNK = 1 << 16

#: What a zip of one learner holds: otter's export, and the work of this course.
_OWN_MARKS = ("__zip_filename__", ".k8snet/progress.json")


class BadArchive(K8sNetError):
    """A zip that cannot be unpacked, or only by trusting it."""


class Member(NamedTuple):
    """One file that came out: its names inside the archive, and where it lies now. Without a
    ``path`` it was refused, and ``why`` says so."""

    parts: tuple[str, ...]
    path: Path | None
    why: str = ""


def is_hidden(parts: tuple[str, ...]) -> bool:
    """True for what nobody handed in: hidden files, checkpoints, what macOS adds to a zip."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def of_one_learner(path: Path) -> bool:
    """True if a zip is one learner's own export. Raises ``BadArchive`` if it is no zip."""
    with _opened(path) as archive:
        names = archive.namelist()
    books = [name for name in names if name.lower().endswith((".ipynb", ".zip"))]
    books = [name for name in books if not is_hidden(PurePosixPath(name).parts)]
    return any(mark in names for mark in _OWN_MARKS) or (len(books) == 1 and "/" not in books[0])


def unpack(path: Path, into: Path, suffixes: tuple[str, ...] = (".ipynb",)) -> list[Member]:
    """Unpacks the files of a zip whose names end in one of ``suffixes``, by name.

    Parameters: ``into`` is a folder of our own, which may be there already. Raises ``BadArchive``
    for what is no zip, for more than ``MAX_MEMBERS`` entries or ``MAX_TOTAL`` bytes. A single bad
    entry is a ``Member`` that says why.
    """
    found: list[Member] = []
    total = 0
    with _opened(path) as archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise BadArchive(f"{path.name} has more than {MAX_MEMBERS:,} entries.")
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            parts = PurePosixPath(info.filename.replace("\\", "/")).parts
            if info.is_dir() or not parts or is_hidden(_inside(parts)):
                continue
            if not parts[-1].lower().endswith(suffixes):
                continue
            member = _take(archive, info, parts, into / f"{len(found):05d}")
            total += member.path.stat().st_size if member.path else 0
            if total > MAX_TOTAL:
                raise BadArchive(f"{path.name} unpacks to more than {MAX_TOTAL:,} bytes.")
            found.append(member)
    return found


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        raise BadArchive(f"{path.name} is not a zip file that can be read.") from None


def _inside(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The same without the steps that lead out: they are judged apart."""
    return tuple(part for part in parts if part not in ("..", "/"))


def _take(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, parts: tuple[str, ...], home: Path
) -> Member:
    if ".." in parts or parts[0] == "/" or ":" in parts[0]:
        return Member(_inside(parts), None, "its path leads out of the archive")
    if stat.S_ISLNK(info.external_attr >> 16):
        return Member(parts, None, "it is a link")
    if info.flag_bits & 0x1:
        return Member(parts, None, "it is encrypted")
    home.mkdir(parents=True, exist_ok=True)
    target = home / ("file" + PurePosixPath(parts[-1]).suffix.lower())
    size = 0
    try:
        with target.open("wb") as out:
            for chunk in _chunks(archive, info):
                size += len(chunk)
                # One byte more than allowed is kept: intake then says that it is too large.
                out.write(chunk)
                if size > MAX_BYTES:
                    break
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError):
        target.unlink(missing_ok=True)
        return Member(parts, None, "it is damaged")
    return Member(parts, target)


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as source:
        while chunk := source.read(_CHUNK):
            yield chunk
