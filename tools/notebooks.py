"""Executes notebooks in place and stores their outputs, without the noise of one run.

    python tools/notebooks.py notebooks            every lesson of a folder
    python tools/notebooks.py notebooks/04*.ipynb  some

What differs between two runs of the same code is left out: time stamps, versions of Python,
widget models (their numbers are random; their text and HTML stay), the cutting of printed text
into pieces. So a second run changes no byte, and a diff shows only what a lesson really changed.
A notebook with a failing cell is not written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CELL_TIMEOUT = 120
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def joined(outputs: list[Any]) -> list[Any]:
    """The same outputs, with neighbouring pieces of one stream made one."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else None
        # Only printed text has both a name and a text.
        if (
            last is not None
            and {"name", "text"} <= output.keys()
            and last.get("name") == output.name
        ):
            last.text += output.text
        else:
            result.append(output)
    return result


def quieten(notebook: Any) -> None:
    """Takes out of a notebook, in place, what only tells about this one run."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.update(kernelspec=KERNEL, language_info={"name": "python"})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = joined(cell.outputs)
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)


def execute(path: Path) -> bool:
    """Runs one notebook in its own folder; writes it if a byte changed; True if all cells ran."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path}: FAILED, not written\n{error}", file=sys.stderr)
        return False
    quieten(notebook)
    nbformat.validate(notebook)
    after = nbformat.writes(notebook) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")
    print(f"{path}: {'refreshed' if after != before else 'unchanged'}", flush=True)
    return True


def main() -> None:
    """Runs what the command line names: notebooks, or folders of them."""
    paths: list[Path] = []
    for name in map(Path, sys.argv[1:]):
        paths += sorted(name.glob("*.ipynb")) if name.is_dir() else [name]
    if not paths:
        sys.exit("There is no notebook to run.")
    failed = [path for path in paths if not execute(path)]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
