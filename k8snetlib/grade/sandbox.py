"""What lives here: the fence around a learner's code, the strongest that this machine offers.

Three fences are tried once, at the start, by running a small program behind them:

1. ``bubblewrap``: Debian's sandbox. New process, network, mount, IPC, UTS and cgroup namespaces
   (and a user namespace unless we are root). The root is an empty read-only file system with
   Python, the few packages and our library in it; the working folder is an empty tmpfs.
2. ``namespaces``: the same view, built with ``unshare``, ``mount`` and ``pivot_root``.
3. ``limits``: resource limits alone. The learner's code can read what its user can, and could end
   the grader: weak. It is taken only where the teacher allows it, and every record says so.

As root, the learner's code runs under a user id that nothing else uses: RLIMIT_NPROC counts by it.
The fence dies with the grader: the kernel kills it (PR_SET_PDEATHSIG), not our good intentions.

Inside is a copy of the library without the grader, incidents, exercises and their checks
(``stage``).

What may not live here: what runs inside (``inside``), what becomes of its output (``answering``).
Source: bwrap(1), unshare(1), pivot_root(8), setpriv(1), user_namespaces(7), setrlimit(2).
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib.errors import K8sNetError

#: Of our own library these stay outside: they hold answers, or judge.
WITHHELD = ("grade", "cli*", "__main__.py", "incidents", "material")
#: Other packages that an answer may import, if they are installed.
PACKAGES = ("yaml", "_yaml", "networkx")
#: Where the staged library and the working folder are, inside.
SITE, CWD = "/site", "/work"
#: The size of the working folder, in bytes.
ROOM = 16_000_000
#: From here on user ids are searched that nobody has.
FIRST_UID, LAST_UID = 61_500, 64_900
LIMITS = {
    "AS": 768_000_000,  # bytes of address space
    "FSIZE": 4_000_000,  # bytes in one file
    # One process with one thread: so the limit of memory is the limit of the whole answer, and
    # needs no cgroup, which only root or a well-prepared system could make.
    "NPROC": 1,
    "NOFILE": 64,
    "CORE": 0,
}


_WALLED = "file system, processes and user of its own, no network, one process with 768 MB at most"


class NoFence(K8sNetError):
    """No fence of this machine passes its trial."""


class Fence(NamedTuple):
    """A fence that passed its trial. ``text`` is what records and report say about it."""

    name: str
    text: str
    site: Path

    @property
    def weak(self) -> bool:
        """True if the learner's code can see this machine's files."""
        return self.name == "limits"

    def command(self) -> list[str]:
        """The command line that runs Python inside; ``program`` follows."""
        wrapped = {"bubblewrap": _bubblewrap, "namespaces": _namespaces, "limits": _limits}
        return wrapped[self.name](self.site)

    def job(self, uid: int) -> dict[str, Any]:
        """The part of a job that depends on the fence (see ``inside``)."""
        inside = not self.weak
        return {
            "uid": uid if os.geteuid() == 0 else None,
            "cwd": CWD if inside else str(self.site / "empty"),
            "path": [SITE if inside else str(self.site)],
        }


def python_inside() -> list[str]:
    """Python as it runs inside: no site-packages, no user's settings, no bytecode written."""
    return [os.path.realpath(sys.executable), "-S", "-s", "-P", "-B"]


def stage(folder: Path) -> Path:
    """Copies what may be inside into ``folder``: our library, ``inside`` and ``PACKAGES``."""
    ours = Path(__file__).resolve().parents[1]
    shutil.copytree(ours, folder / "k8snetlib", ignore=shutil.ignore_patterns(*WITHHELD))
    shutil.copy(ours / "grade" / "inside.py", folder / "inside.py")
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            source = next(iter(spec.submodule_search_locations))
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("tests"))
    compileall.compile_dir(folder, quiet=2, workers=1)
    empty = folder / "empty"
    empty.mkdir()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def free_uids(count: int) -> list[int]:
    """User ids that no account and no process has."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                taken.add(entry.stat().st_uid)
            except OSError:
                continue  # it ended meanwhile
    free = [uid for uid in range(FIRST_UID, LAST_UID) if uid not in taken]
    return free[:count]


def choose_fence(site: Path, only: str = "", weak: bool = False) -> Fence:
    """The strongest fence that passes its trial (``only``: that one, for tests).

    Raises ``NoFence`` with what each of them said; without ``weak``, limits alone do not count.
    """
    texts = {
        "bubblewrap": f"bubblewrap: {_WALLED}",
        "namespaces": f"kernel namespaces: {_WALLED}",
        "limits": "WEAK: resource limits only; answers could read files of this machine",
    }
    said = []
    for name, text in texts.items():
        if only not in ("", name) or (name == "limits" and not weak):
            continue
        fence = Fence(name, text, site)
        problem = _trial(fence)
        if not problem:
            return fence
        said.append(f"{name}: {problem}")
    hint = "Install bubblewrap (apt-get install bubblewrap)"
    hint += "." if weak else ", or allow resource limits alone with --weak-isolation."
    raise NoFence(f"Learners' code cannot be isolated here. {' '.join(said)}", hint)


#: What a learner's code must be able to do behind the fence, and what it must not see.
_LOOK = """
import os, sys
uid, cwd, path, ours = {uid!r}, {cwd!r}, {path!r}, {ours!r}
if uid is not None: os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
os.chdir(cwd)
sys.path += path
import decimal, socket, k8snetlib.cluster
open(os.devnull, "w").close()
print("fine" if {weak!r} or not os.path.exists(ours) else "the grader can be seen")
"""


def _trial(fence: Fence) -> str:
    """Why the fence does not work here; empty if it does."""
    job = fence.job(FIRST_UID)
    look = _LOOK.format(**job, ours=str(Path(__file__).resolve()), weak=fence.weak)
    try:
        done = subprocess.run(
            [*fence.command(), "-c", look],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}."
    if done.returncode == 0 and done.stdout == "fine\n":
        return ""
    said = f"{done.stdout}{done.stderr}".strip().splitlines()
    return f"{said[-1] if said else 'it printed nothing'}."


# -- what is seen inside --------------------------------------------------------------------------


def _libraries() -> Iterator[Path]:
    """Python's own parts and the shared libraries it needs."""
    yield Path(os.path.realpath(sys.executable))
    # Not the environment's own lib folder, in which everything that is installed can be read.
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    yield from {Path(sysconfig.get_path(name, vars=base)) for name in ("stdlib", "platstdlib")}
    yield from Path(sysconfig.get_config_var("LIBDIR") or "/nowhere").glob("libpython3*.so*")
    multiarch = sysconfig.get_config_var("MULTIARCH") or "nowhere"
    for folder in (f"/usr/lib/{multiarch}", "/usr/lib64", f"/lib/{multiarch}", "/lib64"):
        if Path(folder).is_dir():
            yield Path(folder)
    if Path("/etc/ld.so.cache").is_file():
        yield Path("/etc/ld.so.cache")


def _emptied() -> list[Path]:
    """Folders below ``_libraries`` that hold installed packages: they are covered."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    found = (stdlib / "site-packages", stdlib / "dist-packages")
    return [path for path in found if path.is_dir()]


def _binds() -> list[tuple[str, str]]:
    """Pairs of a path and where it is inside; a path behind a link is shown under both names."""
    return [(str(path.resolve()), str(path)) for path in _libraries()]


def _environment() -> dict[str, str]:
    return {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "HOME": CWD, "TMPDIR": CWD}


# -- the three fences -----------------------------------------------------------------------------


def _bubblewrap(site: Path) -> list[str]:
    command = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--hostname", "answers", "--cap-drop", "ALL", "--clearenv"]
    if os.geteuid() == 0:
        # `inside` changes to a user id of its own: for that, and no longer, it needs these two.
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    for name, value in _environment().items():
        command += ["--setenv", name, value]
    # Left to itself, bubblewrap makes folders that only root may enter.
    parents = {str(folder) for _, target in _binds() for folder in Path(target).parents}
    for folder in [*sorted(parents - {"/"}), "/dev"]:
        command += ["--perms", "0755", "--dir", folder]
    for source, target in _binds():
        command += ["--ro-bind", source, target]
    for path in _emptied():
        command += ["--size", "4096", "--perms", "0555", "--tmpfs", str(path)]
    command += ["--ro-bind", str(site), SITE, "--dev-bind", "/dev/null", "/dev/null"]
    command += ["--size", str(ROOM), "--perms", "1777", "--tmpfs", CWD, "--chdir", CWD]
    return [*command, "--remount-ro", "/", "--", *python_inside()]


#: Builds the same view by hand. Arguments: the new root, the library, the size of the working
#: folder; SOURCE TARGET pairs; "--"; folders to cover; "--"; the command. The shell stays, as
#: process 1: the kernel kills it when `unshare` ends, and all others with it.
_VIEW = """
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
new=$1 site=$2 room=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o size=1m,mode=755,nosuid,nodev answers "$new"
bind() {
    if [ -d "$1" ]; then mkdir -p "$new$2"
    else mkdir -p "$new${2%/*}"; : > "$new$2"; fi
    mount --bind "$1" "$new$2"
    [ "$2" = /dev/null ] || mount -o remount,bind,ro,nosuid,nodev "$new$2"
}
while [ "$1" != -- ]; do bind "$1" "$2"; shift 2; done; shift
while [ "$1" != -- ]; do mount -t tmpfs -o size=4k,mode=555 empty "$new$1"; shift; done; shift
bind "$site" /site
bind /dev/null /dev/null
mkdir "$new/work"
mount -t tmpfs -o "size=$room,mode=1777,nosuid,nodev" work "$new/work"
mount -o remount,bind,ro,nosuid,nodev "$new"
cd /
chroot "$new" "$@"
exit $?
"""


def _namespaces(site: Path) -> list[str]:
    root = site.parent / "root"
    root.mkdir(exist_ok=True)
    unshare = shutil.which("unshare") or "unshare"
    command = [
        *_dying(),
        "env",
        "-i",
        *_variables(),
        unshare,
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--uts",
    ]
    command += [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command += ["--fork", "--kill-child", "sh", "-c", _VIEW, "view", str(root), str(site)]
    binds = [path for pair in _binds() for path in pair]
    command += [str(ROOM), *binds, "--", *map(str, _emptied()), "--"]
    return [*command, *python_inside()]


def _variables() -> list[str]:
    return [f"{name}={value}" for name, value in _environment().items()]


def _dying() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _limits(site: Path) -> list[str]:
    return [*_dying(), "env", "-i", *_variables(), *python_inside()]
