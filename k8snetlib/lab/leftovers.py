"""What lives here: where labs are noted while they stand, so that none outlives its process.

A lab that is interrupted removes itself. One whose process was killed outright (``kill -9``)
cannot; its namespaces stay, and so do the programs in them. Every lab has a folder below ``FOLDER``
with the script that built it, and a locked file: the kernel drops the lock with the process,
whatever became of it. So a lab whose file can be locked is nobody's any more, and the next one
removes it.

What may not live here: what a lab does while it stands (see ``kernel``).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Only root can write here: what lies in it is run.
FOLDER = Path("/run/k8snet")
#: The programs that a lab starts beside those of its script.
_MONITORS = (b"xtables-monitor\0--trace\0", b"nft\0monitor\0trace\0")
_MOST_SECONDS = 60.0


def note(namespaces: Iterable[str], script: str) -> tuple[Path, int]:
    """A new lab's folder, with its script ``lab.sh``, and the handle that keeps it locked."""
    with _alone():
        folder = Path(tempfile.mkdtemp(prefix="lab-", dir=FOLDER))
        (folder / "lab.sh").write_text(script)
        (folder / "namespaces").write_text("\n".join(namespaces))
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    return folder, handle


def forget(folder: Path, handle: int) -> None:
    """The lab is gone: its folder may go, too."""
    with _alone():
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove() -> list[str]:
    """Removes every lab whose process is no more; returns their namespaces."""
    gone = []
    with _alone():
        for folder in FOLDER.iterdir():
            if not folder.is_dir() or _held(folder):
                continue
            if (folder / "lock").exists():
                _end_building(folder)
                namespaces = (folder / "namespaces").read_text().split()
                _end_monitors(namespaces)
                subprocess.run(
                    ["sh", str(folder / "lab.sh"), "down"], stdin=subprocess.DEVNULL,
                    capture_output=True, timeout=_MOST_SECONDS, check=False,
                )  # fmt: skip
                gone += namespaces
            shutil.rmtree(folder, ignore_errors=True)
    return gone


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time: nobody removes what another is just making."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    with open(FOLDER / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _held(folder: Path) -> bool:
    """True while the process that made a lab lives."""
    try:
        with open(folder / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # killed before there was anything to remove
        return False
    return False


def _end_building(folder: Path) -> None:
    """A script that still builds would go on beside its own removal: it ends by itself if asked."""
    words = b"\0".join((b"sh", bytes(folder / "lab.sh"), b"up", b""))
    end = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < end:
        building = [
            path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _is(path, words)
        ]
        if not building:
            break
        for pid in building:
            with suppress(OSError):
                os.kill(int(pid), signal.SIGTERM)
        time.sleep(0.05)


def _is(cmdline: Path, words: bytes) -> bool:
    with suppress(OSError):
        return cmdline.read_bytes() == words
    return False


def _end_monitors(namespaces: Iterable[str]) -> None:
    """A monitor keeps its namespace alive, though the name be gone."""
    for name in namespaces:
        done = subprocess.run(
            ["ip", "netns", "pids", name], capture_output=True, text=True,
            timeout=_MOST_SECONDS, check=False,
        )  # fmt: skip
        for word in done.stdout.split():
            if any(_is(Path(f"/proc/{word}/cmdline"), words) for words in _MONITORS):
                with suppress(OSError):
                    os.kill(int(word), signal.SIGKILL)
