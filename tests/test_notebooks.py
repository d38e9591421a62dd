"""Lint for notebooks: what the house asks of every lesson and every exercise."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.test_docs import links

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*/*.ipynb"))
IDS = [str(path.relative_to(ROOT)) for path in (*LESSONS, *EXERCISES)]
MOST_LINES, MOST_WORDS, LONGEST_SENTENCE = 10, 950, 20


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def prose(notebook: Any) -> str:
    """All Markdown, without code blocks and link targets."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)", "]", text)


def sentences(text: str) -> list[str]:
    """Sentences of paragraphs; table rows, list markers and HTML tags are no sentences."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("|")]
    paragraphs = re.split(r"\n\s*\n|\n(?=[-*#]|\d+\.)", "\n".join(lines))
    flat = (re.sub(r"<[^>]+>|[*_`#]", "", p).replace("\n", " ") for p in paragraphs)
    return [s.strip() for p in flat for s in re.split(r"(?<=[.?!:;])\s+", p) if s.strip()]


@pytest.mark.parametrize("path", [*LESSONS, *EXERCISES], ids=IDS)
def test_form(path: Path) -> None:
    """Valid, stable ids, one h1, headings in order, short cells, working links."""
    notebook = read(path)
    nbformat.validate(notebook)
    cells = notebook.cells
    ids = [cell.get("id", "") for cell in cells]
    assert all(ids), "a cell without an id"
    assert len(set(ids)) == len(ids)
    assert cells[0].cell_type == "markdown", "prose first"
    assert notebook.metadata.kernelspec.name == "python3"
    levels = [len(m) for m in re.findall(r"^(#+) ", prose(notebook), flags=re.M)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), levels
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= MOST_LINES, cell.id
        for target in links(cell.source if cell.cell_type == "markdown" else ""):
            assert (path.parent / target).exists(), f"{cell.id} links to {target}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.name)
def test_a_lesson_is_short_and_its_pictures_speak(path: Path) -> None:
    """About 900 words, short sentences, stored outputs without errors, text for every picture."""
    notebook = read(path)
    text = prose(notebook)
    assert len(text.split()) <= MOST_WORDS
    long = [s for s in sentences(text) if len(s.split()) > LONGEST_SENTENCE]
    assert not long, long
    assert "you can now" in text
    assert text.count("<details><summary>") >= 2, "two recall questions"
    for cell in (c for c in notebook.cells if c.cell_type == "code"):
        assert cell.execution_count is not None, f"{cell.id} was never run: make notebooks"
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            data = output.get("data", {})
            if "image/png" in data or "<svg" in data.get("text/html", ""):
                assert len(data.get("text/plain", "")) > 40, f"{cell.id}: a picture without words"
            if "<svg" in data.get("text/html", ""):
                assert "<title" in data["text/html"], cell.id


@pytest.mark.parametrize("path", EXERCISES, ids=lambda p: p.parent.name)
def test_an_exercise_holds_no_outputs(path: Path) -> None:
    """What a learner opens is empty."""
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert not cell.outputs, cell.id
            assert cell.execution_count is None, cell.id


def test_there_are_notebooks() -> None:
    assert LESSONS
    assert EXERCISES
