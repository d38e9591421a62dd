"""Writes exercises/released.txt: the fingerprint of every exercise, as it is released.

python tools/released.py
"""

from __future__ import annotations

from pathlib import Path

from k8snetlib.course.exercise import all_exercises
from k8snetlib.grade.released import MANIFEST, manifest_text

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Writes the file."""
    (ROOT / "exercises" / MANIFEST).write_text(manifest_text(all_exercises(ROOT)), encoding="utf-8")


if __name__ == "__main__":
    main()
