"""`import k8snetlib` is light: it loads nothing that draws, runs a notebook or parses a manifest."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "IPython",
    "anywidget",
    "click",
    "etcd3gw",
    "ipywidgets",
    "matplotlib",
    "nbformat",
    "networkx",
    "numpy",
    "pytest",
    "requests",
    "rich",
    "yaml",
}


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ran.stdout.split())


def test_the_probe_sees_what_is_loaded():
    assert "yaml" in loaded_by("import yaml")


def test_import_loads_nothing_heavy():
    loaded = loaded_by("import k8snetlib")
    assert "k8snetlib" in loaded
    assert loaded & HEAVY == set()
