"""What lives here: reading a stranger's notebook file. Only the sources of answer cells are taken.

Outputs, tags, kernelspec, execution counts, check cells, ``NBVAL`` comments and the order of cells
mean nothing. Setup comes from the pristine notebook. A learner's other cells do not count either: a
helper that an answer needs belongs into its answer cell.

Whatever is wrong with a file has a named status (``record.STATUSES``), as ``BadNotebook``.

What may not live here: running anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from k8snetlib.course.notebook import MAX_BYTES, BadNotebook, Cell, parse_notebook


def read_bytes(path: Path) -> bytes:
    """The bytes of a plain file; a link, a pipe or a device is not read. Raises ``BadNotebook``."""
    try:
        # A link might lead to another learner's work, and a pipe would let us wait for ever.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "is a link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise BadNotebook("unreadable", f"{path.name} {what}.") from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise BadNotebook("unreadable", f"{path.name} is no plain file.")
    with open(opened, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadNotebook("too-large", f"{path.name} has more than {MAX_BYTES:,} bytes.")
    return data


def read_cells(data: bytes, name: str) -> tuple[Cell, ...]:
    """The cells of a submission. Formats 1 to 3 of notebooks are brought to format 4 first."""
    try:
        return parse_notebook(data, name)
    except BadNotebook as error:
        upgraded = _upgraded(data) if error.status == "not-a-notebook" else None
        if upgraded is None:
            raise
        return parse_notebook(upgraded, name)


def _upgraded(data: bytes) -> bytes | None:
    """An old notebook in format 4, or None if this is none."""
    document: Any = json.loads(data.decode("utf-8-sig"))
    version = document.get("nbformat") if isinstance(document, dict) else None
    if type(version) is not int or version not in (1, 2, 3):
        return None
    import nbformat

    try:
        notebook = nbformat.convert(nbformat.from_dict(document), 4)
        return json.dumps(notebook).encode()
    except Exception:  # nbformat trusts its input, and stumbles in many ways
        return None


def digest(*parts: bytes) -> str:
    """A fingerprint of some bytes; where one part ends and the next begins makes a difference."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
