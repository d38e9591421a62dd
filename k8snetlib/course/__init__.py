"""What lives here: the course around the model — exercises, checks, incidents, grading.

A learner's cells need few names: ``from k8snetlib.course import board, check, hint, incident,
on_call, predict``; work on Binder is saved and brought back with ``export_work`` and
``restore_work``. They load when they are asked for: pytest reads this package for its plugin and
needs none of them.

What may not live here: anything the model itself needs. The library works without a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k8snetlib.course.backup import export_work, restore_work
    from k8snetlib.course.checking import board, check, hint
    from k8snetlib.course.incidents import incident, on_call
    from k8snetlib.course.prediction import predict

__all__ = [
    "board", "check", "export_work", "hint", "incident", "on_call", "predict", "restore_work",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("board", "check", "hint"):
        from k8snetlib.course import checking

        return getattr(checking, name)
    if name == "predict":
        from k8snetlib.course import prediction

        return prediction.predict
    if name in ("incident", "on_call"):
        from k8snetlib.course import incidents

        return getattr(incidents, name)
    if name in ("export_work", "restore_work"):
        from k8snetlib.course import backup

        return getattr(backup, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
