"""What lives here: ``plugin_calls``, the ADD and DEL calls of a CNI plugin as one sequence.

A table: a row for each call, with what the plugin answered and what it changed in the pod, on the
node and in its own files. The plugin's memory (its files) and the kernel's (devices, routes) stand
side by side, so one sees when they part: that is a leaked address.

What may not live here: calls and their changes (``kube.cni.runtime``).
"""

from __future__ import annotations

from k8snetlib.kube.cni.runtime import FILES, NODE, POD, Runtime, Told
from k8snetlib.views.grid import Cell, Grid, Tables

_HEADS = (("", "answer"), ("", POD), ("", NODE), ("", FILES))


def plugin_calls(runtime: Runtime, since: int = 0) -> Tables:
    """The calls of a runtime as a table: answers, and what each call changed where.

    Parameters: ``since`` leaves out the first calls (0: none).
    """
    config = runtime.config
    rows = tuple(_row(n, told) for n, told in enumerate(runtime.log, 1) if n > since)
    title = f"Calls of {config['type']} on {runtime.node.name}: network {config.get('name')}."
    if not rows:
        return Tables(f"{title} None yet.", ())
    grid = Grid("What each call changed", "call", _HEADS, rows)
    return Tables(title, (grid,), ("+ was made, − was removed. –: nothing changed.",))


def _row(n: int, told: Told) -> tuple[Cell, ...]:
    said = told.error or told.address or "done, no output"
    sign = "✕" if told.answer.status else "✓"
    cells = (_changes(told, where) for where in (POD, NODE, FILES))
    return (Cell((f"{n}. {told.command} {told.pod}",)), Cell((said,), sign), *cells)


def _changes(told: Told, where: str) -> Cell:
    lines = [f"{change.sign} {change.what}" for change in told.changes if change.where == where]
    return Cell(tuple(lines) or ("–",))
