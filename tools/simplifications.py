"""Writes docs/simplifications.md from what the modules themselves say under "Simplified here".

python tools/simplifications.py          writes the page
python tools/simplifications.py --check  exit status 1 if the page is stale
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "simplifications.md"
MARK = "Simplified here:"
HEAD = """\
# What the model leaves out

Every module says what it simplifies. This page collects these paragraphs; it is made by
`python tools/simplifications.py`, and a test keeps it fresh. To change a line, change the module.
"""


def paragraph(docstring: str) -> str:
    """The paragraph that begins with the mark, as one line ("" if there is none)."""
    for block in docstring.split("\n\n"):
        if MARK in block:
            words = " ".join(block[block.index(MARK) + len(MARK) :].split())
            return words.split(" Source: ")[0].split(" Sources: ")[0]
    return ""


def page() -> str:
    """The whole page, modules in the order of their names."""
    lines = [HEAD]
    for path in sorted((ROOT / "k8snetlib").rglob("*.py")):
        said = paragraph(ast.get_docstring(ast.parse(path.read_text())) or "")
        if said:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            lines.append(f"- **`{name}`**: {said[0].upper()}{said[1:]}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes or checks the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text() == text
        print("docs/simplifications.md is " + ("fresh" if fresh else "stale: run this tool"))
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
