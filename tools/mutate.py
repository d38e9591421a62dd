"""Plants faults in k8snetlib/linux/, one at a time, and asks which the tests notice.

    python tools/mutate.py --mutants 400 --seed 1            a sample, repeatable by its seed
    python tools/mutate.py --files bridge.py netfilter/      a sample of some files

A fault is planted in memory, in a process of its own; the work tree stays as it is. A fault in a
function's body replaces that function's code in a fork of a pytest that has collected everything,
and meets the tests that reach its lines (coverage.py says which). A fault that is met at import
takes a fresh import, and all tests. What lives on must be explained in tests/linux/mutants.toml,
by file, function, and text before and after. Exit status 1: some fault lives on unexplained, or an
explanation holds no longer.

Why not mutmut or cosmic-ray? mutmut 3.8 was quick (395 faults in 140 s) but plants none in what
stands outside functions or in properties: here the TCP state table, every time-out and sysctl,
``Ruleset.tracks``. It deletes no statement, draws no sample by seed, and keeps reasons only as
comments in the code. cosmic-ray 8.7 changes the work tree and runs one whole command per fault.
"""

from __future__ import annotations

import argparse
import functools
import gc
import hashlib
import importlib.abc
import importlib.util
import math
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple, cast

import coverage
import pytest
from _pytest.runner import runtestprotocol

sys.path.insert(0, str(Path(__file__).resolve().parent))

from faults import Fault, faults_in

ROOT = Path(__file__).resolve().parent.parent
#: None of them needs root; together they take a few seconds.
TESTS = (
    "tests/linux", "tests/kernel/test_flows.py", "tests/kernel/test_found.py", "tests/flannel",
    "tests/kube", "tests/test_cluster.py", "tests/test_story.py",
)  # fmt: skip
#: A fault of the engine is drawn this many times as often as one of the tools.
ENGINE = 3.0
#: No mutant may eat the machine: bytes of address space, seconds of processor time.
MOST_MEMORY, MOST_TIME = 3 << 30, 60

_NUMBER = re.compile(r":\d+ ")
_fork = multiprocessing.get_context("fork")


class Setting(NamedTuple):
    """Where the sources, the tests and the explanations are; a test of this tool has its own."""

    root: Path = ROOT
    sources: Path = ROOT / "k8snetlib" / "linux"
    package: str = "k8snetlib.linux"
    tests: tuple[str, ...] = TESTS
    explained: Path = ROOT / "tests" / "linux" / "mutants.toml"
    jobs: int = 2

    def module(self, fault: Fault) -> str:
        """The dotted name of a fault's module."""
        parts = [self.package, *Path(fault.file).with_suffix("").parts]
        return ".".join(parts).removesuffix(".__init__")


class Fate(NamedTuple):
    """What became of a mutant: killed, timed out or survived; ``by`` is the test that noticed."""

    fault: Fault
    word: str
    by: str = ""


# -- what to plant --------------------------------------------------------------------------------


def all_faults(setting: Setting, patterns: Sequence[str] = ()) -> list[Fault]:
    """Every fault of the files whose path begins with, or ends in, one of the patterns."""
    found: list[Fault] = []
    for path in sorted(setting.sources.rglob("*.py")):
        name = path.relative_to(setting.sources).as_posix()
        if not patterns or any(name.startswith(p) or name.endswith(p) for p in patterns):
            found += faults_in(name, path.read_text())
    return found


def sample(faults: list[Fault], count: int, seed: int) -> list[Fault]:
    """``count`` of them (0: all), each drawn by its own text: an edit elsewhere moves nothing."""

    def rank(fault: Fault) -> float:
        digest = hashlib.sha256(f"{seed} {fault.key}".encode()).digest()
        chance = (int.from_bytes(digest[:8]) + 1) / 2**64
        return -math.log(chance) / (1.0 if fault.file.startswith("tools/") else ENGINE)

    return sorted(sorted(faults, key=rank)[: count or None], key=lambda f: (f.file, f.line, f.key))


# -- processes ------------------------------------------------------------------------------------


def _in_turn(jobs: int, runs: Sequence[tuple[Fault, Callable[[], str | None]]]) -> Iterator[Fate]:
    """Runs each in a process of its own, ``jobs`` at a time; a run returns the failed test ("":
    none failed; None: it could not be done so)."""
    todo, under_way = list(reversed(runs)), dict[Any, tuple[Any, Fault]]()

    def child(action: Callable[[], str | None], answer: Connection) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_TIME, MOST_TIME + 1))
        _be_silent()
        answer.send(action())
        os._exit(0)

    while todo or under_way:
        while todo and len(under_way) < jobs:
            fault, action = todo.pop()
            ours, theirs = _fork.Pipe(duplex=False)
            process = _fork.Process(target=child, args=(action, theirs))
            process.start()
            theirs.close()
            under_way[ours] = process, fault
        for done in wait(list(under_way)):
            process, fault = under_way.pop(done)
            try:
                by = cast("Connection", done).recv()
            except EOFError:
                by = "the end of its process"
            process.join()
            if process.exitcode == -signal.SIGXCPU:
                yield Fate(fault, "timed out")
            elif by is not None:
                yield Fate(fault, "killed" if by else "survived", by)


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _pytest(setting: Setting, plugin: object) -> int:
    os.chdir(setting.root)
    plain = ["-x", "-qq", "--tb=no", "--capture=no", "-p", "no:cacheprovider", *setting.tests]
    return int(pytest.main(plain, plugins=[plugin]))


# -- faults in a function's body: a fork of a pytest that has collected everything ----------------


class _Collected:
    """A pytest plugin: instead of running the tests it makes the map, then runs the mutants."""

    def __init__(self, setting: Setting, faults: Sequence[Fault], answer: Connection) -> None:
        self.setting, self.faults, self.answer = setting, faults, answer
        files = [f"{setting.sources}/*"]
        self.cover = coverage.Coverage(data_file=None, include=files, config_file=False)
        self.cover.start()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Sends the number of tests, then (number of a fault, fate) one by one."""
        self.cover.stop()
        self.items = {item.nodeid: item for item in session.items}
        ours, theirs = _fork.Pipe(duplex=False)
        mapping = _fork.Process(target=self._map, args=(theirs,))
        mapping.start()
        failed, lines, seconds = ours.recv()
        mapping.join()
        self.items = {t: self.items[t] for t in sorted(self.items, key=lambda t: seconds.get(t, 0))}
        self.answer.send((len(self.items), failed))
        if failed:
            return True
        runs: list[tuple[Fault, Callable[[], str | None]]] = []
        for fault in self.faults:
            tests = self._reaching(lines, fault)
            if tests == []:
                self._tell(Fate(fault, "survived"))
            elif tests is not None:
                runs.append((fault, functools.partial(self._run, fault, tests)))
        for fate in _in_turn(self.setting.jobs, runs):
            self._tell(fate)
        return True

    def _tell(self, fate: Fate) -> None:
        number = next(n for n, fault in enumerate(self.faults) if fault is fate.fault)
        self.answer.send((number, fate.word, fate.by))

    def _map(self, answer: Connection) -> None:
        _be_silent()
        self.cover.start()
        failed, seconds = "", dict[str, float]()
        for nodeid in self.items:
            self.cover.switch_context(nodeid)
            began = time.process_time()
            failed = failed or self._failed(nodeid)
            seconds[nodeid] = time.process_time() - began
        self.cover.stop()
        data = self.cover.get_data()
        lines = {path: data.contexts_by_lineno(path) for path in data.measured_files()}
        answer.send((failed, lines, seconds))
        os._exit(0)

    def _reaching(self, lines: dict[str, dict[int, list[str]]], fault: Fault) -> list[str] | None:
        """The tests that reach a fault's lines; None: import or collection does so already."""
        here = lines.get(str(self.setting.sources / fault.file), {})
        found = {test for line in fault.lines for test in here.get(line, ())}
        return None if fault.at_import or "" in found else [t for t in self.items if t in found]

    def _failed(self, nodeid: str) -> str:
        """The test's name if it fails. No next test: every fixture is made anew."""
        reports = runtestprotocol(self.items[nodeid], log=False, nextitem=None)
        return nodeid if any(not report.passed for report in reports) else ""

    def _run(self, fault: Fault, tests: Sequence[str]) -> str | None:
        function: Any = sys.modules[self.setting.module(fault)]
        for name in fault.path:
            function = vars(function)[name]
        while not hasattr(function, "__code__"):
            wrapped = ("fget", "__func__", "__wrapped__")
            function = next(getattr(function, n) for n in wrapped if getattr(function, n, None))
        old = function.__code__
        with fault.planted() as tree:
            whole = compile(tree, old.co_filename, "exec")
        new = next(c for c in _codes(whole) if _place(c) == _place(old))
        # Functions that it made when its module was imported are alive already.
        made = {id(a): b for a, b in zip(_codes(old), _codes(new), strict=False)}
        alive = [f for f in gc.get_objects() if isinstance(f, FunctionType)]
        try:
            for inner in alive:
                if id(inner.__code__) in made:
                    inner.__code__ = made[id(inner.__code__)]
            function.__code__ = new
        except ValueError:  # it closes over something else than before: only an import will do
            return None
        return next(filter(None, map(self._failed, tests)), "")


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


# -- faults that are met at import: a fresh import, and all tests ---------------------------------


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out one module with its fault, instead of the file; notes the first failed test."""

    def __init__(self, setting: Setting, fault: Fault) -> None:
        self.setting, self.fault, self.failed = setting, fault, ""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.setting.module(self.fault):
            return None
        file = self.setting.sources / self.fault.file
        below = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=below
        )

    def exec_module(self, module: Any) -> None:
        with self.fault.planted() as tree:
            code = compile(tree, module.__file__, "exec")
        exec(code, module.__dict__)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed and not self.failed:
            self.failed = report.nodeid

    def run(self) -> str:
        sys.meta_path.insert(0, self)
        status = _pytest(self.setting, self)
        return (self.failed or "an import that fails") if status else ""


# -- the report -----------------------------------------------------------------------------------


def fates(setting: Setting, faults: Sequence[Fault]) -> Iterator[Fate]:
    """What becomes of each; raises ``SystemExit`` if the tests fail without any fault."""

    def collected(answer: Connection) -> None:
        _pytest(setting, _Collected(setting, faults, answer))

    ours, theirs = _fork.Pipe(duplex=False)
    process = _fork.Process(target=collected, args=(theirs,))
    process.start()
    theirs.close()
    left = dict(enumerate(faults))
    try:
        tests, failed = ours.recv()
        if failed:
            raise SystemExit(f"Without any fault a test fails or is skipped already: {failed}")
        print(f"{tests} tests, {len(faults)} mutants", flush=True)
        while True:
            number, word, by = ours.recv()
            yield Fate(left.pop(number), word, by)
    except EOFError:
        process.join()
        if process.exitcode:
            raise SystemExit("The tests could not be collected.") from None
    runs = [(fault, _Planted(setting, fault).run) for fault in left.values()]
    yield from _in_turn(setting.jobs, runs)


def explanations(path: Path) -> dict[tuple[str, str, str, str], str]:
    """fault -> "KIND: WHY"; KIND is equivalent (nothing can tell) or unobserved (on purpose)."""
    rows = tomllib.loads(path.read_text())["mutant"] if path.exists() else []
    assert all(row["kind"] in ("equivalent", "unobserved") and row["why"] for row in rows)
    return {
        (row["file"], row["where"], row["before"], row["after"]): f"{row['kind']}: {row['why']}"
        for row in rows
    }


def judge(
    known: Sequence[Fault], found: Sequence[Fate], why: dict[tuple[str, str, str, str], str]
) -> tuple[list[str], int]:
    """The report's lines and the exit status; ``known`` are all faults of the files looked at."""
    text, new = [], 0
    for fate in found:
        said = why.get(fate.fault.key, "")
        if fate.word == "survived":
            new += not said
            end = said or "SURVIVED, and nobody says why"
        else:
            end = f"{fate.word}{' by ' + fate.by if fate.by else ''}"
        text.append(f"{fate.fault}\n    {end}")
    files, keys = {fault.file for fault in known}, {fault.key for fault in known}
    dead = {fate.fault.key for fate in found if fate.word != "survived"}
    stale = [key for key in why if (key[0] in files and key not in keys) or key in dead]
    text += [f"{key[0]} {key[1]}: {key[2]} -> {key[3]}\n    EXPLAINED, BUT STALE" for key in stale]
    kinds: dict[str, Counter[str]] = {}
    for fate in found:
        kinds.setdefault(fate.fault.kind, Counter())[fate.word] += 1
    for kind, words in sorted(kinds.items()):
        text.append(f"{kind:10} " + ", ".join(f"{n} {word}" for word, n in sorted(words.items())))
    sums = Counter(fate.word for fate in found)
    text.append(
        f"{len(found)} mutants of {len(known)}: {sums['killed']} killed, "
        f"{sums['timed out']} timed out, {sums['survived'] - new} explained, "
        f"{new} new survivors, {len(stale)} stale explanations"
    )
    return text, int(bool(new or stale))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Which planted faults do the tests notice?")
    parser.add_argument("--mutants", type=int, default=400, help="how many (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", nargs="*", default=[], help="e.g. bridge.py netfilter/")
    parser.add_argument("--report", type=Path, default=ROOT / "artefacts" / "mutants.txt")
    parser.add_argument("--jobs", type=int, default=2, help="1 for tests that make namespaces")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="instead of the usual ones")
    parser.add_argument("--again", type=Path, help="only those that this report calls survived")
    asked = parser.parse_args()
    os.nice(10)
    setting, found = Setting(tests=tuple(asked.tests), jobs=asked.jobs), []
    known = all_faults(setting, asked.files)
    chosen = sample(known, asked.mutants, asked.seed)
    if asked.again:
        lines = asked.again.read_text().splitlines()
        left = {_NUMBER.sub(" ", a) for a, b in pairwise(lines) if "SURVIVED" in b}
        chosen = [fault for fault in known if _NUMBER.sub(" ", str(fault)) in left]
    with tempfile.TemporaryDirectory() as place:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = place
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["K8SNET_CI"] = "1"  # no test may be skipped, hypothesis draws the same each time
        for fate in fates(setting, chosen):
            found.append(fate)
            if fate.word == "survived":
                print(f"survived: {fate.fault}", flush=True)
    found.sort(key=lambda fate: (fate.fault.file, fate.fault.line, fate.fault.key))
    text, status = judge(known, found, explanations(setting.explained))
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    asked.report.write_text("\n".join(text) + "\n")
    print("\n".join(line for line in text if "SURVIVED" in line or "STALE" in line))
    print(f"{text[-1]}\nevery mutant: {asked.report}")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
