"""tools/mutate.py: it finds a planted fault, says which live on, and when an explanation is stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import mutate

MODULE = """\
LIMIT = 3


def fits(n):
    return n < LIMIT


def maker():
    def made(n):
        return n + 1
    return made


add_one = maker()
"""
TESTS = """\
from toy.module import add_one, fits


def test_fits():
    assert fits(1) and not fits(9)


def test_add_one():
    assert add_one(1) == 2
"""
BOUNDARY = ("module.py", "fits", "return n < LIMIT", "return n <= LIMIT")


@pytest.fixture
def toy(tmp_path: Path) -> mutate.Setting:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").touch()
    (tmp_path / "toy" / "module.py").write_text(MODULE)
    (tmp_path / "test_toy.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    explained = tmp_path / "mutants.toml"
    return mutate.Setting(tmp_path, tmp_path / "toy", "toy", ("test_toy.py",), explained)


RUN = """
import sys; sys.path.insert(0, {tools!r})
from pathlib import Path
import mutate
s = mutate.Setting(Path({root!r}), Path({root!r}) / "toy", "toy", ("test_toy.py",))
for fate in mutate.fates(s, mutate.all_faults(s)):
    print(fate.word, fate.by, *fate.fault.key, sep="|")
"""


def test_the_fate_of_every_fault_of_a_toy(toy: mutate.Setting) -> None:
    code = RUN.format(tools=str(Path(mutate.__file__).parent), root=str(toy.root))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""},
    )  # fmt: skip
    fates = {
        tuple(w[2:]): w[:2] for line in ran.stdout.splitlines() if len(w := line.split("|")) == 6
    }
    assert fates, ran.stderr
    survived = {key for key, (word, _) in fates.items() if word == "survived"}
    assert survived == {
        BOUNDARY,  # in a function's body
        ("module.py", "(module)", "LIMIT = 3", "LIMIT = 4"),  # met at import
        ("module.py", "(module)", "LIMIT = 3", "LIMIT = 2"),
    }
    inner = "module.py", "maker.made", "return n + 1", "return n - 1"
    assert fates[inner] == ["killed", "test_toy.py::test_add_one"], "it was made at import"
    assert (toy.sources / "module.py").read_text() == MODULE


def row(key: tuple[str, ...], kind: str = "equivalent") -> str:
    names = ("file", "where", "before", "after")
    fields = [f"{name} = {text!r}" for name, text in zip(names, key, strict=True)]
    return "\n".join(["[[mutant]]", *fields, f"kind = {kind!r}", "why = 'so it is'", ""])


@pytest.mark.parametrize(
    ("keys", "word", "says", "status"),
    [
        ([], "survived", "1 new survivors", 1),
        ([BOUNDARY], "survived", "1 explained, 0 new survivors, 0 stale", 0),
        ([BOUNDARY], "killed", "1 stale explanations", 1),
        ([BOUNDARY, (*BOUNDARY[:3], "return n")], "survived", "1 stale explanations", 1),
        ([("elsewhere.py", *BOUNDARY[1:])], "killed", "0 stale explanations", 0),
    ],
    ids=["new", "explained", "killed now", "no such fault", "another file"],
)
def test_survivors_and_explanations(
    toy: mutate.Setting, keys: list[tuple[str, ...]], word: str, says: str, status: int
) -> None:
    toy.explained.write_text("mutant = []\n" if not keys else "\n".join(map(row, keys)))
    known = mutate.all_faults(toy)
    (fault,) = [f for f in known if f.key == BOUNDARY]
    text, got = mutate.judge(known, [mutate.Fate(fault, word)], mutate.explanations(toy.explained))
    assert says in text[-1]
    assert got == status


def test_a_sample_stays_when_another_function_changes(toy: mutate.Setting) -> None:
    before = {f.key for f in mutate.sample(mutate.all_faults(toy), 4, 1)}
    assert before == {f.key for f in mutate.sample(mutate.all_faults(toy), 4, 1)}
    (toy.sources / "module.py").write_text(f'"""Words."""\n{MODULE}')
    assert before == {f.key for f in mutate.sample(mutate.all_faults(toy), 4, 1)}


def test_every_explanation_names_a_fault_that_can_be_planted() -> None:
    setting = mutate.Setting()
    keys = {fault.key for fault in mutate.all_faults(setting)}
    assert set(mutate.explanations(setting.explained)) <= keys
