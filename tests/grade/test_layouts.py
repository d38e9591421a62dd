"""Whose a notebook is, and for which exercise, in every folder that a teacher may have."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from k8snetlib.grade import layouts, unpack
from k8snetlib.grade.layouts import BadLayout, find_submissions

KNOWN = ("00", "04")


def book(exercise: str = "04", note: str = "") -> str:
    """A notebook whose cells belong to an exercise; ``note`` makes its bytes differ."""
    cells = [
        {"cell_type": "markdown", "id": "txt", "metadata": {}, "source": [note]},
        {
            "cell_type": "code",
            "id": f"ans-{exercise}-lookup",
            "metadata": {"k8snet": {"role": "answer", "id": f"{exercise}.lookup"}},
            "source": [f"# answer: {exercise}.lookup\n", "x = 1"],
        },
    ]
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


B04, B00 = book("04"), book("00")
ROUGH = json.dumps({"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def put(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def zipped(**members: str) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def look(tmp_path: Path, *given: Path, **options: str) -> layouts.Found:
    return find_submissions(given, tmp_path / "unpacked", KNOWN, **options)


def found(at: layouts.Found) -> dict[str, tuple[str, str]]:
    return {at.names[s.path]: (s.learner, s.exercise) for s in at.submissions}


MOODLE = "Ada Lovelace_12345_assignsubmission_file_"
OTTER = "exercise_2026_11_25T10_30_04_123456.zip"
WORK = {
    ".k8snet/progress.json": "{}",
    "exercises/00_start_here/exercise.ipynb": B00,
    "exercises/04_cross_node_udp/exercise.ipynb": B04,
}

LAYOUTS = [
    ("flat", {"ada.ipynb": B04}, {"ada.ipynb": ("ada", "04")}),
    ("flat-number", {"ada_04.ipynb": B04}, {"ada_04.ipynb": ("ada", "04")}),
    ("flat-dash", {"ada-00.ipynb": B00}, {"ada-00.ipynb": ("ada", "00")}),
    ("flat-slug", {"ada_04_cross_node_udp.ipynb": B04}, {"ada_04_cross_node_udp.ipynb": ("ada", "04")}),
    ("flat-two", {"ada_00.ipynb": B00, "ada_04.ipynb": B04}, {"ada_00.ipynb": ("ada", "00"), "ada_04.ipynb": ("ada", "04")}),
    ("other-number", {"ada_99.ipynb": B04}, {"ada_99.ipynb": ("ada_99", "04")}),
    ("cells-beat-name", {"ada_00.ipynb": B04}, {"ada_00.ipynb": ("ada", "04")}),
    ("broken-by-name", {"ada_04.ipynb": "{cut off"}, {"ada_04.ipynb": ("ada", "04")}),
    ("broken-by-text", {"ada.ipynb": B04[:-30]}, {"ada.ipynb": ("ada", "04")}),
    ("format-3", {"ada.ipynb": json.dumps({"nbformat": 3, "worksheets": json.loads(B04)["cells"]})}, {"ada.ipynb": ("ada", "04")}),
    ("downloaded-twice", {"ada_04 (1).ipynb": B04}, {"ada_04 (1).ipynb": ("ada", "04")}),
    ("upper-case", {"ada.IPYNB": B04}, {"ada.IPYNB": ("ada", "04")}),
    ("nbgrader", {"submitted/ada/ps4/exercise.ipynb": B04, "source/ps4/exercise.ipynb": B00}, {"ada/ps4/exercise.ipynb": ("ada", "04")}),
    ("nbgrader-name", {"submitted/ada/04_udp/exercise.ipynb": "{"}, {"ada/04_udp/exercise.ipynb": ("ada", "04")}),
    ("nbgrader-rough", {"submitted/ada/ps4/exercise.ipynb": B04, "submitted/ada/ps4/rough.ipynb": ROUGH, "submitted/ada/ps4/timestamp.txt": ""}, {"ada/ps4/exercise.ipynb": ("ada", "04")}),
    ("folder-each", {"ada/exercise.ipynb": B04, "bob/x/y.ipynb": B04}, {"ada/exercise.ipynb": ("ada", "04"), "bob/x/y.ipynb": ("bob", "04")}),
    ("moodle", {f"{MOODLE}/exercise.ipynb": B04}, {f"{MOODLE}/exercise.ipynb": ("Ada Lovelace_moodle12345", "04")}),
    ("moodle-flat", {f"{MOODLE}my_04.ipynb": "{"}, {f"{MOODLE}my_04.ipynb": ("Ada Lovelace_moodle12345", "04")}),
    ("moodle-blind", {"Participant_77_assignsubmission_file_/x.ipynb": B04}, {"Participant_77_assignsubmission_file_/x.ipynb": ("Participant_moodle77", "04")}),
    ("canvas", {"lovelaceada_12_4567_exercise.ipynb": B04}, {"lovelaceada_12_4567_exercise.ipynb": ("lovelaceada_canvas12", "04")}),
    ("canvas-late", {"lovelaceada_LATE_12_4567_exercise-1.ipynb": B04}, {"lovelaceada_LATE_12_4567_exercise-1.ipynb": ("lovelaceada_canvas12", "04")}),
    ("canvas-anonymous", {"LATE_anon_x1Y2z_4567_e.ipynb": B04}, {"LATE_anon_x1Y2z_4567_e.ipynb": ("anon_x1Y2z", "04")}),
    ("canvas-user-04", {"lovelaceada_04_4567_x.ipynb": "{", "b_9_4567_x_00.ipynb": "{"}, {"b_9_4567_x_00.ipynb": ("b_canvas9", "00")}),
    ("canvas-in-folder", {"submissions/lovelaceada_12_4567_04.ipynb": "{"}, {"submissions/lovelaceada_12_4567_04.ipynb": ("lovelaceada_canvas12", "04")}),
    ("otter-zip", {"ada.zip": zipped(**{"exercise.ipynb": B04, "__zip_filename__": "x"})}, {"ada.zip/exercise.ipynb": ("ada", "04")}),
    ("otter-export", {OTTER: zipped(**{"exercise.ipynb": "{"}), "b_04.ipynb": "{"}, {"b_04.ipynb": ("b", "04")}),
    ("otter-list", {"nb0.ipynb": B04, "meta.json": '[{"identifier": 7, "filename": "nb0.ipynb"}]'}, {"nb0.ipynb": ("7", "04")}),
    ("otter-yaml", {"nb0.ipynb": B04, "meta.yml": "- identifier: ada\n  filename: nb0.ipynb\n"}, {"nb0.ipynb": ("ada", "04")}),
    ("work-zip", {"ada.zip": zipped(**WORK)}, {"ada.zip/exercises/00_start_here/exercise.ipynb": ("ada", "00"), "ada.zip/exercises/04_cross_node_udp/exercise.ipynb": ("ada", "04")}),
    ("checkpoints", {"ada.ipynb": B04, ".ipynb_checkpoints/ada-checkpoint.ipynb": B04, ".x.ipynb": B04, "__MACOSX/._ada.ipynb": "x"}, {"ada.ipynb": ("ada", "04")}),
    ("same-twice", {"ada.ipynb": B04, "ada_04.ipynb": B04}, {"ada_04.ipynb": ("ada", "04")}),
    ("accents", {"ame\u0301lie.ipynb": B04}, {"ame\u0301lie.ipynb": ("am\u00e9lie", "04")}),
    ("control", {"a\x1b[2Jb.ipynb": B04}, {"a\x1b[2Jb.ipynb": ("a_[2Jb", "04")}),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])  # fmt: skip
def test_layout(
    tmp_path: Path, files: dict[str, str], expected: dict[str, tuple[str, str]]
) -> None:
    at = look(tmp_path, put(tmp_path / "class", files))
    assert found(at) == expected


REFUSED = [
    ("ambiguous", {"ada.ipynb": B04, "ada_04.ipynb": book("04", "other")}, ("ada", "04", "ada_04.ipynb, ada.ipynb", "ambiguous")),
    ("nobody-knows", {"ada.ipynb": ROUGH}, ("ada", "", "ada.ipynb", "unknown-exercise")),
    ("two-exercises", {"ada.ipynb": json.dumps({"cells": json.loads(B04)["cells"] + json.loads(B00)["cells"]})}, ("ada", "", "ada.ipynb", "unknown-exercise")),
    ("no-exercise-99", {"ada_04.ipynb": book("99").replace("04", "")}, None),
    ("essay", {f"{MOODLE}/essay.pdf": "x"}, ("Ada Lovelace_moodle12345", "", f"{MOODLE}/essay.pdf", "not-a-notebook")),
    ("canvas-essay", {"lovelaceada_12_4567_essay.pdf": "x"}, ("lovelaceada_canvas12", "", "lovelaceada_12_4567_essay.pdf", "not-a-notebook")),
    ("bad-zip", {"ada_04.zip": "no zip"}, ("ada", "04", "ada_04.zip", "unreadable")),
    ("empty-zip", {"ada.zip": zipped(**{"notes.txt": "x"})}, ("ada", "", "ada.zip", "not-a-notebook")),
    ("escape", {"ada.zip": zipped(**{"../../evil_04.ipynb": B04})}, ("ada", "04", "ada.zip/evil_04.ipynb", "unreadable")),
    ("absolute", {"ada.zip": zipped(**{"/etc/evil_04.ipynb": B04})}, ("ada", "04", "ada.zip/etc/evil_04.ipynb", "unreadable")),
    ("backslash", {"ada.zip": zipped(**{"..\\..\\evil_04.ipynb": B04})}, ("ada", "04", "ada.zip/evil_04.ipynb", "unreadable")),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])  # fmt: skip
def test_a_refused_row_has_a_name(
    tmp_path: Path, files: dict[str, str], expected: tuple[str, ...] | None
) -> None:
    at = look(tmp_path, put(tmp_path / "class", files))
    rows = [(g.learner, g.exercise, g.source, g.status) for g in at.refused]
    assert rows == ([expected] if expected else [])
    assert all(g.text.endswith(".") for g in at.refused)
    assert not [path for path in tmp_path.rglob("*evil*") if path.name != "class"]


def test_every_file_is_somewhere(tmp_path: Path) -> None:
    """In one heap of all layouts no notebook is lost: it is found, refused or left out by name."""
    root = tmp_path / "heap"
    for number, (_, files, _) in enumerate([*LAYOUTS, *REFUSED]):
        put(root / f"{number:02d}", {n: c for n, c in files.items() if not n.startswith("meta.")})
    at = look(tmp_path, root)
    told = [*at.names.values(), *(s for g in at.refused for s in g.source.split(", ")), *(line.partition(": ")[0] for line in at.left_out)]  # fmt: skip
    for path in root.rglob("*.ipynb"):
        name = "/".join(path.relative_to(root).parts)
        if not unpack.is_hidden(path.relative_to(root).parts):
            assert name in told, name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ada_04.ipynb", ("ada", "04")),
        ("submitted/bob/ps4/exercise.ipynb", ("bob", "04")),
        ("submitted/bob", ("bob", "04")),
        (f"{MOODLE}/exercise.ipynb", ("Ada Lovelace_moodle12345", "04")),
        ("class.zip", ("cyd", "04")),
        ("dan.zip", ("dan", "04")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_single_path(tmp_path: Path, given: str, expected: tuple[str, str]) -> None:
    """A file or a part of a layout, named by itself, is still the same learner's."""
    files = {
        "ada_04.ipynb": B04,
        "submitted/bob/ps4/exercise.ipynb": B04,
        f"{MOODLE}/exercise.ipynb": B04,
        "class.zip": zipped(**{"all/cyd_04.ipynb": B04}).replace(b"all/", b"cyd/"),
        "dan.zip": zipped(**{"exercise.ipynb": B04, "__zip_filename__": ""}),
    }
    root = put(tmp_path / "class", files)
    assert list(found(look(tmp_path, root / given)).values()) == [expected]


def test_a_zip_of_a_whole_class_holds_zips(tmp_path: Path) -> None:
    inner = zipped(**{"exercise.ipynb": B04})
    whole = tmp_path / "submissions.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("lovelaceada_12_4567_work.zip", inner)
        archive.writestr("hoppergrace_13_4568_exercise.ipynb", B04)
    at = look(tmp_path, whole)
    assert sorted(found(at).values()) == [("hoppergrace_canvas13", "04"), ("lovelaceada_canvas12", "04")]  # fmt: skip
    assert all(s.path.is_relative_to(tmp_path / "unpacked") for s in at.submissions)


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = put(tmp_path / "secret", {"solution_04.ipynb": B04})
    root = put(tmp_path / "class", {"ada_04.ipynb": B04})
    (root / "eve_04.ipynb").symlink_to(secret / "solution_04.ipynb")
    (root / "folder").symlink_to(secret)
    os.mkfifo(root / "pipe_04.ipynb")
    at = look(tmp_path, root)
    assert found(at) == {"ada_04.ipynb": ("ada", "04")}
    assert [(g.learner, g.status) for g in at.refused] == [("eve", "unreadable"), ("pipe", "unreadable")]  # fmt: skip


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("eve_04.ipynb")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    root = tmp_path / "class"
    root.mkdir()
    with zipfile.ZipFile(root / "eve.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    (refused,) = look(tmp_path, root).refused
    assert refused.text == "In the zip, it is a link."


def test_a_zip_bomb_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_BYTES", 300_000)
    monkeypatch.setattr(unpack, "MAX_TOTAL", 1_000_000)
    root = put(tmp_path / "class", {"eve.zip": zipped(**{f"b{n}_04.ipynb": "0" * 50_000_000 for n in range(4)})})  # fmt: skip
    (refused,) = look(tmp_path, root).refused
    assert (refused.learner, refused.status) == ("eve", "unreadable")
    assert sum(p.stat().st_size for p in (tmp_path / "unpacked").rglob("*.ipynb")) < 2_000_000


def test_a_huge_tree_and_a_deep_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put(tmp_path / "class", {"ada.ipynb": B04, "/".join("abcdefghijklm") + "/x.ipynb": B04})
    assert any("too many folders deep" in line for line in look(tmp_path, root).left_out)
    monkeypatch.setattr(layouts, "MAX_FILES", 5)
    with pytest.raises(BadLayout, match="more than 5 files"):
        look(tmp_path, root)


@pytest.mark.parametrize("name", ["nothing", "meta.json"])
def test_a_path_that_helps_nobody(tmp_path: Path, name: str) -> None:
    root = put(tmp_path / "class", {"meta.json": "[1]"})
    with pytest.raises(BadLayout):
        look(tmp_path, root / name if name == "nothing" else root)


def test_the_teacher_says_which_exercise(tmp_path: Path) -> None:
    root = put(tmp_path / "class", {"ada.ipynb": ROUGH})
    assert found(look(tmp_path, root, exercise="04")) == {"ada.ipynb": ("ada", "04")}
