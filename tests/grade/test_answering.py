"""Hostile answers behind each fence: what they get, what the other tasks get, what is left."""

from __future__ import annotations

import json

import pytest

from k8snetlib.grade import answering
from k8snetlib.grade.sandbox import Fence, choose_fence, stage
from tests.conftest import require_root, require_tool
from tests.grade.fenced import E04, SEEDS, answers, left_behind, uid

OTHERS = [task.id for task in E04.tasks if task.id != "04.lookup"]

HOSTILE = {
    # name: the answer to 04.lookup, the status it gets, what is said or answered
    "loop": ("def lookup(r, d):\n while True: pass", "time-limit", "2 seconds"),
    "loop-at-once": ("while True: pass", "time-limit", "2 seconds"),
    "sleep": ("import time\ntime.sleep(1000)", "time-limit", "2 seconds"),
    "swallows-everything": (
        "def lookup(r, d):\n while True:\n  try:\n   while True: pass\n  except BaseException: pass",
        "time-limit",
        "2 seconds",
    ),
    "os._exit": ("import os\nos._exit(0)", "crashed", "ended its own process"),
    "closes-the-way-out": ("import os\nos.closerange(3, 100)", "crashed", "ended"),
    "closes-and-loops": (
        "import os\nos.closerange(0, 100)\nwhile True: pass",
        "time-limit",
        "2 seconds",
    ),
    "quit": ("import sys\nsys.exit(0)", "error", "SystemExit"),
    "segfault": ("import ctypes\nctypes.string_at(0)", "crashed", "ended"),
    "syntax": ("def lookup(r, d)\n  return 1", "error", "SyntaxError"),
    "a-magic": ("%%script false\ndef lookup(r, d): return 1", "error", "SyntaxError"),
    "kills-its-parent": (
        "import os\ndef lookup(r, d): os.kill(os.getppid(), 9)",
        "answered",
        "PermissionError",
    ),
    "kills-all": ("import os\ndef lookup(r, d): os.kill(-1, 9)", "answered", "ProcessLookupError"),
    "kills-itself": ("import os\nos.kill(os.getpid(), 9)", "killed", "was killed"),
    "3-gigabytes": ("def lookup(r, d): return bytes(3 * 10**9)", "answered", "MemoryError"),
    "fork-bomb": (
        "import os\ndef lookup(r, d):\n while True:\n  try: os.fork()\n  except OSError: pass",
        "time-limit",
        "2 seconds",
    ),
    "threads": (
        "import threading, time\ndef lookup(r, d):\n"
        " for _ in range(50): threading.Thread(target=time.sleep, args=(999,)).start()",
        "answered",
        "can't start new thread",
    ),
    "a-child-that-stays": (
        "import os, time\nif os.fork() == 0:\n os.setsid()\n while True: time.sleep(1)\n"
        "def lookup(r, d): return 'here'",
        "error",
        "BlockingIOError",
    ),
    "50-megabytes-of-output": (
        "def lookup(r, d):\n for _ in range(3): print('x' * 1_000_000)\n return 'done'",
        "answered",
        "done",
    ),
    "floods-the-way-out": (
        "import os\nwhile True:\n for fd in range(3, 64):\n"
        "  try: os.write(fd, b'x' * 100_000)\n  except OSError: pass",
        "no-result",
        "cannot be read",
    ),
    "says-that-it-is-done": (
        "import os\nfor fd in range(3, 64):\n"
        " try: os.write(fd, b'{\"end\": true}\\n')\n except OSError: pass",
        "no-result",
        "cannot be read",
    ),
    "fills-the-disk": (
        "def lookup(r, d):\n for n in range(10**6): open(f'f{n}', 'wb').write(bytes(3_000_000))",
        "answered",
        "No space left",
    ),
    "writes-into-the-library": ("open('/site/k8snetlib/x.py', 'w')", "error", "Read-only"),
    "sockets": (
        "import socket\ndef lookup(r, d): socket.create_connection(('1.1.1.1', 53), 1)",
        "answered",
        "Network is unreachable",
    ),
    "odd-values": (
        "def lookup(r, d): return {'a': float('nan'), 'b': 10**400, 'c': [[[[1]]]], 'd': '\\ud800'}",
        "answered",
        "beyond 64 bits",
    ),
    "patches-json": ("import json\njson.dumps = None\ndef lookup(r, d): return 1", "crashed", ""),
    "patches-collect": (
        "import k8snetlib.course.collect as c\nc.to_plain = lambda *a: 'forged'\n"
        "def lookup(r, d): return 1",
        "answered",
        "forged",
    ),
}


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def fence(request, tmp_path_factory) -> Fence:
    require_root()
    require_tool({"bubblewrap": "bwrap", "namespaces": "unshare"}[request.param])
    site = tmp_path_factory.mktemp("fence") / "site"
    site.mkdir()
    return choose_fence(stage(site), request.param)


@pytest.mark.root
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer(fence, name):
    """It costs its own task at most; nothing of it is left."""
    source, status, said = HOSTILE[name]
    user = uid()
    found = answers(fence, source, user)
    for seed in SEEDS:
        mine = found.collected[seed]["04.lookup"]
        assert mine["status"] == status, mine
        assert said in json.dumps(mine), mine
    if name not in ("patches-json", "patches-collect"):
        assert [found.collected[1][task]["status"] for task in OTHERS] == ["answered"] * len(OTHERS)
    assert left_behind(user) == []


LOOK = """
import os
def lookup(routes, dst):
    here = ["/etc/passwd", "/proc", "/sys", "/tmp", "/home", "/site/k8snetlib/grade", OURS]
    import k8snetlib, k8snetlib.course as course
    found = [path for path in here if os.path.exists(path)]
    return [found, os.listdir("."), os.getuid(), sorted(os.environ), os.listdir(course.__path__[0])]
"""


@pytest.mark.root
def test_what_can_be_seen(fence):
    """No file of this machine, no other submission, no check, no grader; an empty folder."""
    user = uid()
    source = LOOK.replace("OURS", repr(__file__))
    found = answers(fence, source, user).collected[1]["04.lookup"]
    seen, folder, who, names, course = found["calls"][0]["value"]
    assert seen == [] and folder == [] and who == user
    assert set(names) <= {
        "HOME",
        "LANG",
        "PATH",
        "PWD",
        "PYTHONHASHSEED",
        "TMPDIR",
        "OLDPWD",
        "_",
        "SHLVL",
    }
    assert "collect.py" in course and "incidents" not in course and "material" not in course


TRY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS = 0x10000000, 0x20000
TRIES = {
    "setuid": (0,), "chroot": (b"/work",), "unshare": (NEWUSER,), "unshare ": (NEWUSER | NEWNS,),
    "mount": (b"x", b"/work", b"tmpfs", 0, None), "mount ": (b"x", b"/work", b"proc", 0, None),
    "umount2": (b"/work", 2), "setns": (0, 0), "ptrace": (16, 1, 0, 0), "add_key": (),
}
NUMBERS = {"add_key": {"x86_64": 248, "aarch64": 217}}
def lookup(routes, dst):
    tried = {}
    for name, args in TRIES.items():
        call = getattr(libc, name.strip(), None)
        if name in NUMBERS:
            args = (NUMBERS[name][os.uname().machine], b"user", b"x", b"x", 1, -2)
            call = libc.syscall
        tried[name] = [call(*args), os.strerror(ctypes.get_errno())]
    return [tried, libc.prctl(39, 0, 0, 0, 0), os.getgroups()]
"""


@pytest.mark.root
def test_no_rights_can_be_regained(fence):
    """Nor can a user namespace be made, in which an answer would be root of its own."""
    found = answers(fence, TRY, uid()).collected[1]["04.lookup"]
    tried, no_new_privileges, groups = found["calls"][0]["value"]
    assert set(map(tuple, tried.values())) == {(-1, "Operation not permitted")}, tried
    assert (no_new_privileges, groups) == (1, [])


@pytest.mark.root
def test_a_child_has_nothing_to_say(fence, monkeypatch):
    """Even where processes are allowed, one that falls out of the learner's code is silent."""
    monkeypatch.setattr(answering, "LIMITS", answering.LIMITS | {"NPROC": 4})
    source = "import os\nchild = os.fork() == 0\ndef lookup(r, d): return child"
    user = uid()
    found = answers(fence, source, user)
    assert found.stopped == ""
    for seed in SEEDS:
        calls = found.collected[seed]["04.lookup"]["calls"]
        assert {call.get("value") for call in calls if "value" in call} == {False}
        assert [found.collected[seed][task]["status"] for task in OTHERS] == ["answered"] * len(
            OTHERS
        )
    assert left_behind(user) == []


@pytest.mark.root
def test_answers_share_names_in_order_and_hashes_are_fixed(fence):
    found = answers(
        fence,
        "helper = 5\ndef lookup(r, d): return [check, hash('x'), __import__('random').random()]",
        uid(),
        decapsulate="def decapsulate(packet): return helper",
    )
    assert found.collected[1]["04.decapsulate"]["calls"][0] == {"value": 5}
    again = answers(
        fence, "def lookup(r, d): return [check, hash('x'), __import__('random').random()]", uid()
    )
    first, second = (a.collected[1]["04.lookup"]["calls"][0]["value"] for a in (found, again))
    assert first == second


@pytest.mark.root
def test_what_a_notebook_shows_does_nothing(fence):
    """A check, a hint or an incident left in an answer cell costs nothing."""
    source = """
from k8snetlib.course import board, predict
check("04.lookup"); hint("04.lookup"); display(board()); predict("x", 1)
def lookup(routes, dst): return "fine"
"""
    found = answers(fence, source, uid()).collected[1]["04.lookup"]
    assert found["calls"][0] == {"value": "fine"}


@pytest.mark.root
def test_two_culprits_cost_two_tasks(fence):
    found = answers(
        fence,
        "import os\nos._exit(0)",
        uid(),
        encapsulate="def encapsulate(a, b, c):\n while 1: pass",
    )
    statuses = {task: record["status"] for task, record in found.collected[5].items()}
    assert statuses == dict.fromkeys(OTHERS, "answered") | {
        "04.lookup": "crashed",
        "04.encapsulate": "time-limit",
    }
    assert found.stopped == "crashed"
