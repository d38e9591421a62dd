"""What lives here: the program that runs inside the fence: setup, then each answer, then questions.

It gets one JSON document on standard input and writes JSON lines (see ``strict``) where its
standard output was; the learner's own output goes nowhere. It is copied beside k8snetlib into the
fence; nothing else of this room is there, and no check, solution or other submission.

A learner's code runs in this very process and may forge whatever is written here. That earns
nothing: what comes out is *answers*, and they are judged elsewhere.

Answers are plain Python. Only answer cells count, in the order of the tasks; they share one
namespace with the setup of the pristine notebook. ``check``, ``hint`` and all else that
``k8snetlib.course`` offers do nothing here.

``_shut`` refuses system calls that an answer has no use for: with a user namespace of its own a
learner's code would not get out, but would meet much more of the kernel.

*Simplified here*: the table knows 64-bit Intel and ARM. Elsewhere, and on a kernel that takes no
filter, the fence alone stands.

What may not live here: expected values; anything that trusts the process it runs in.
Source: seccomp(2), prctl(2), linux/filter.h, linux/audit.h, asm/unistd_64.h, asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import random
import resource
import struct
import sys
from typing import Any

#: Exit statuses, for the parent: memory ran out where nothing could catch it; setup failed.
NO_MEMORY, NO_SETUP = 77, 78
_PR_SET_NO_NEW_PRIVS = 38
#: Version 3 of the capability sets: two words each of effective, permitted, inheritable.
_CAPABILITIES = 0x20080522
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
#: The kernel's name of each architecture (``AUDIT_ARCH_…``), and the number of each system call
#: that is refused there, in the order of: unshare, setns, mount, umount2, pivot_root, chroot,
#: fsopen, move_mount, ptrace, process_vm_writev, bpf, perf_event_open, userfaultfd, io_uring_setup,
#: keyctl, add_key.
_REFUSED = {
    "x86_64": (
        0xC000003E,
        (272, 308, 165, 166, 155, 161, 430, 429, 101, 311, 321, 298, 323, 425, 250, 248),
    ),
    "aarch64": (
        0xC00000B7,
        (97, 268, 40, 39, 41, 51, 430, 429, 117, 271, 280, 241, 282, 425, 219, 217),
    ),
}
#: Numbers from here on are Intel's x32 variants of the same calls; nothing of ours uses them.
_X32 = 0x4000_0000


def _drop(job: dict[str, Any]) -> None:
    """Gives up what may be left of root, and takes the limits on."""
    limits = job["limits"]
    for name in ("CPU", "AS", "FSIZE", "NOFILE", "CORE"):
        _limit(name, limits[name])
    if job["uid"] is not None:
        os.setgroups([])
        os.setresgid(job["uid"], job["uid"], job["uid"])
        _limit("NPROC", limits["NPROC"])
        os.setresuid(job["uid"], job["uid"], job["uid"])
    else:
        _limit("NPROC", limits["NPROC"])
    os.chdir(job["cwd"])
    # No program that is started from here on gets more rights, and we keep none.
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.capset((ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)())
    if os.uname().machine in _REFUSED and sys.maxsize > 2**32:
        _shut(libc, *_REFUSED[os.uname().machine])


def _shut(libc: ctypes.CDLL, arch: int, refused: tuple[int, ...]) -> None:
    """From here on these system calls fail with EPERM, in this process and all it starts."""
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
    count = len(refused)
    # Jumps are counted from the next instruction; the last one refuses, the one before allows.
    program = [
        (load, 0, 0, 4), (equal, 0, count + 3, arch),
        (load, 0, 0, 0), (at_least, count + 1, 0, _X32),
        *((equal, count - at, 0, number) for at, number in enumerate(refused)),
        (end, 0, 0, allow), (end, 0, 0, refuse),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    told = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(told), 0, 0)


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, f"RLIMIT_{name}")
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _take_streams() -> tuple[bytes, int]:
    """Reads the job, keeps the way out, and leaves the learner three streams that lead nowhere."""
    data = sys.stdin.buffer.read()
    out = os.dup(1)
    os.set_inheritable(out, False)
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    return data, out


def _nothing(*_: Any, **__: Any) -> None:
    """In place of check, hint, display …"""


def main() -> None:
    """Runs the job on standard input."""
    # Nothing that is loaded here is garbage, and looking for some takes a tenth of the time.
    gc.disable()
    data, out = _take_streams()
    job = json.loads(data)
    sys.path[:] = [*sys.path, *job["path"]]
    from k8snetlib import course
    from k8snetlib.course.collect import Problem, collect, one_line

    # What a notebook shows and asks has no place here, and the setup imports it.
    for name in course.__all__:
        setattr(course, name, _nothing)

    ours = os.getpid()

    def say(**line: Any) -> None:
        # A process that a learner's code forked, and that came out of it, has nothing to say.
        if os.getpid() != ours:
            os._exit(0)
        left = json.dumps(line, allow_nan=False).encode() + b"\n"
        while left:
            left = left[os.write(out, left) :]

    namespace: dict[str, Any] = {"__name__": "__main__", "display": _nothing}
    try:
        for source in job["setup"]:
            exec(compile(source, "<setup>", "exec"), namespace)
    except Exception as error:
        say(setup=one_line(error))
        os._exit(NO_SETUP)
    gc.collect()
    gc.freeze()
    gc.enable()
    _drop(job)
    say(ready=True)
    for task in job["tasks"]:
        if task["ask"]:
            say(begin=task["id"])
        random.seed(task["id"])
        answer: Any = None
        try:
            exec(compile(task["source"], f"<answer {task['id']}>", "exec"), namespace)
            answer = namespace.get(task["name"])
        except (Exception, SystemExit) as error:
            answer = Problem("error", f"The cell raised {one_line(error)}.")
        if not task["ask"]:
            continue
        for seed, asked in task["questions"]:
            random.seed(seed)
            told = collect({task["id"]: asked}, {task["id"]: answer})
            say(task=task["id"], seed=seed, collected=told[task["id"]])
    say(end=True)
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        os._exit(NO_MEMORY)
