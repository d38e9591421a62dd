"""A picture against its stored version; if they differ, a page that shows both side by side."""

from __future__ import annotations

import base64
import difflib
import os
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UPDATE = "K8SNET_UPDATE_PICTURES"

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:16px;color-scheme:light dark}"
    ".both{display:grid;grid-template-columns:1fr 1fr;gap:16px}"
    "figure{margin:0}img{width:100%;border:1px solid #888}"
    ".over{position:relative}.over img+img{position:absolute;inset:0;mix-blend-mode:difference}"
    "ins{background:#1a7f3733}del{background:#cf222e33}ins,del{text-decoration:none;display:block}"
    "pre{overflow-x:auto}"
    "@media (max-width:900px){.both{grid-template-columns:1fr}}"
)


def folder() -> Path:
    """Where the pages are kept: K8SNET_PICTURES, else ``build/pictures`` in the repository."""
    return Path(os.environ.get("K8SNET_PICTURES") or ROOT / "build" / "pictures")


def _shown(svg: str, words: str) -> str:
    code = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{escape(words)}" src="data:image/svg+xml;base64,{code}">'


def _lines(stored: str, drawn: str) -> str:
    """What changed in the text, line by line."""
    marks = {"+": "ins", "-": "del"}
    found = []
    for line in difflib.unified_diff(
        stored.splitlines(), drawn.splitlines(), "stored", "now", lineterm="", n=1
    ):
        tag = marks.get(line[:1], "span")
        found.append(f"<{tag}>{escape(line)}</{tag}>")
    return "\n".join(found)


def page(name: str, stored: str, drawn: str) -> str:
    """The page of one picture; ``stored`` is empty if there was none."""
    old = _shown(stored, f"{name}, as stored") if stored else "<p>There is none yet.</p>"
    new = _shown(drawn, f"{name}, as drawn now")
    over = f'<h2>Where they differ</h2><div class="over">{old}{new}</div>' if stored else ""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(name)}: two versions'
        f"</title><style>{_STYLE}</style>\n<h1>{escape(name)}</h1>\n"
        f'<div class="both"><figure><figcaption>Stored</figcaption>{old}</figure>\n'
        f"<figure><figcaption>Drawn now</figcaption>{new}</figure></div>\n"
        f"{over}\n<h2>The text</h2><pre>{_lines(stored, drawn)}</pre>\n"
        f"<p>To store what is drawn now: <code>{UPDATE}=1 pytest tests/views</code></p></html>\n"
    )


def changed(name: str, drawn: str, stored: Path) -> str:
    """ "" if a picture is as stored; else what to look at. Stores it if K8SNET_UPDATE_PICTURES is
    set."""
    if os.environ.get(UPDATE):
        stored.write_text(drawn, "utf-8")
    before = stored.read_text("utf-8") if stored.exists() else ""
    at = folder() / f"{name}.html"
    if before == drawn:
        at.unlink(missing_ok=True)
        return ""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(page(name, before, drawn), "utf-8")
    return f"the picture '{name}' changed: {at.as_uri()} shows both versions"
