"""Draws the pictures of the README afresh.

python tools/pictures.py          writes docs/pictures/*.svg
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from k8snetlib import Cluster
from k8snetlib.views import draw

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def pictures() -> Mapping[str, str]:
    """File name -> SVG text."""
    cluster = Cluster.example(backend="udp")
    cluster.ping("web2", "backend")  # warm caches: the walk without its ARP questions
    return {"walk.svg": draw(cluster.connect("web2", "backend", port=8080)).svg + "\n"}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, svg in pictures().items():
        (FOLDER / name).write_text(svg)
