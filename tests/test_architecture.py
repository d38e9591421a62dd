"""The house keeps its shape: rooms in order, no side effects in the core, nothing too long.

The order is one line a room; a room may import its own line and the lines above it. A new module
fails here until it has a room.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "k8snetlib"

ROOMS = [
    {"errors"},
    {"address"},
    {"packet"},
    {"wire", "topology", "stages", "trace", "words", "story", "decided", "fates"},
    {"linux"},
    {"etcd"},
    {"flannel", "kube"},
    {"assembly", "kubelet", "dumps"},
    {"cluster", ""},  # "" is k8snetlib itself, which shows the cluster's names
    {"lab", "reach", "cost"},
    {"views"},
    {"course"},
    {"grade"},
    {"cli", "cli_grade", "cli_story", "__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
CORE = RANK["cluster"]

#: No clock, no chance, no files, no network up to `cluster`.
SIDE_EFFECTS = {
    *("asyncio", "ctypes", "fcntl", "glob", "http", "io", "multiprocessing", "os", "pathlib"),
    *("pty", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl"),
    *("subprocess", "tempfile", "threading", "time", "urllib"),
}
SIDE_EFFECT_CALLS = {"open", "input", "exec", "eval", "breakpoint"}
#: The exceptions, each with its reason.
MAY_TOUCH = {
    "k8snetlib.dumps.files": "reads the dumps of real machines that it is asked for",
    "k8snetlib.etcd.server": "starts and speaks to a real etcd server",
    "k8snetlib.kube.manifests": "reads and writes the manifests that it is asked for",
    "k8snetlib.wire.pcap": "write_pcap writes the file that it is asked for",
}

LONGEST_FILE, LONGEST_FUNCTION = 450, 60


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, under its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "k8snetlib":
            yield from (
                f"k8snetlib.{a.name}" if a.name in RANK else "k8snetlib" for a in node.names
            )
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield node.module or ""


def called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def wrong_rooms(module: str, tree: ast.AST) -> list[str]:
    if room_of(module) not in RANK:
        return [f"{module} has no room: give it one in ROOMS"]
    rank = RANK[room_of(module)]
    ours = [m for m in imports(tree) if m.split(".")[0] == "k8snetlib"]
    return [
        f"{module} imports {m}, a room to its right"
        for m in ours
        if RANK.get(room_of(m), len(ROOMS)) > rank
    ]


def side_effects(module: str, tree: ast.AST) -> list[str]:
    found = [f"{module} calls print" for name in called(tree) if name == "print"]
    if RANK.get(room_of(module), 0) > CORE or module in MAY_TOUCH:
        return found
    found += [f"{module} imports {m}" for m in imports(tree) if m.split(".")[0] in SIDE_EFFECTS]
    for name in called(tree):
        dice = name.startswith("random.") and name != "random.Random"
        clock = name.endswith((".now", ".today", ".utcnow"))
        if name in SIDE_EFFECT_CALLS or dice or clock:
            found.append(f"{module} calls {name}")
    return found


def without_theory(module: str, tree: ast.Module) -> list[str]:
    if tree.body and not ast.get_docstring(tree):
        return [f"{module} does not open with a docstring"]
    return []


def too_long(module: str, tree: ast.Module, lines: int) -> list[str]:
    found = [f"{module} has {lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(f"{module}.{node.name} has {length} lines")
    return found


def faults(module: str, text: str) -> list[str]:
    tree = ast.parse(text)
    lines = len(text.splitlines())
    return [
        *wrong_rooms(module, tree),
        *side_effects(module, tree),
        *without_theory(module, tree),
        *too_long(module, tree, lines),
    ]


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=name_of)
def test_library_module(path):
    assert faults(name_of(path), path.read_text(encoding="utf-8")) == []


OTHERS = [p for folder in ("tests", "tools", "benchmarks") for p in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("path", sorted(OTHERS), ids=name_of)
def test_other_files_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert too_long(name_of(path), ast.parse(text), len(text.splitlines())) == []


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("k8snetlib.packet", "from k8snetlib.linux import netns", "a room to its right"),
        ("k8snetlib.packet", "from k8snetlib import Cluster", "a room to its right"),
        ("k8snetlib.linux.x", "def f():\n import k8snetlib.cluster", "a room to its right"),
        ("k8snetlib.cluster", "import k8snetlib.unheard", "a room to its right"),
        ("k8snetlib.unheard", "", "no room"),
        ("k8snetlib.linux.x", "from socket import socket", "imports socket"),
        ("k8snetlib.linux.x", "import os.path", "imports os"),
        ("k8snetlib.linux.x", "random.random()", "calls random.random"),
        ("k8snetlib.linux.x", "datetime.now()", "calls datetime.now"),
        ("k8snetlib.linux.x", "open('x')", "calls open"),
        ("k8snetlib.course.x", "print('x')", "calls print"),
        ("k8snetlib.errors", "x = 1", "docstring"),
        ("k8snetlib.errors", "'''x'''\n" * 451, "451 lines"),
        ("k8snetlib.errors", "'''x'''\ndef f():\n" + " g()\n" * 60, "errors.f has 61 lines"),
    ],
    ids=lambda value: None if "\n" in value else value,
)
def test_a_fault_is_found(module, text, fault):
    assert any(fault in line for line in faults(module, text)), faults(module, text)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("k8snetlib.linux.x", "'''x'''\nimport random\nr = random.Random(1)\nr.random()"),
        ("k8snetlib.wire.pcap", "'''x'''\nimport os\nfrom k8snetlib.trace import Frame"),
        ("k8snetlib", "'''x'''\nfrom k8snetlib.cluster import Cluster"),
        ("k8snetlib.cli", "'''x'''\nimport subprocess"),
    ],
    ids=["seeded-chance", "pcap", "front-door", "cli"],
)
def test_no_false_alarm(module, text):
    assert faults(module, text) == []
