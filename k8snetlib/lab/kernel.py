"""What lives here: a real lab: the script's namespaces, and ways to look into them.

``Lab(network)`` is a context: it builds a network of the model in the kernel and removes it again,
whatever happens in between (an exception, Ctrl-C, SIGTERM; after a ``kill -9`` the next lab does
it, see ``leftovers``). A socket belongs for ever to the namespace in which it was made, so a thread
that steps into a namespace for a moment is enough to open what this process then holds: one
capturing socket per namespace, the senders' sockets. The process itself never leaves the machine's
own namespace.

What may not live here: what a packet should do (the model), and comparing (``verify``).

Simplified here: one lab at a time per prefix; captures are read after the fact.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, TypeVar

from k8snetlib.errors import K8sNetError
from k8snetlib.lab import leftovers, native
from k8snetlib.lab.script import script_of
from k8snetlib.lab.tap import Raw, Tap

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Neighbour, Netns
    from k8snetlib.linux.network import Network

T = TypeVar("T")

#: No single step of building, sending or cleaning up takes longer than this, in seconds.
MOST_SECONDS = 60.0
QUIET_SECONDS = 0.05

_CLONE_NEWNET = 0x40000000
_NETLINK_NETFILTER = 12
_CT_DELETE = 1 << 8 | 2
_PIDFD_GETFD, _RCVBUFFORCE = 438, 33
_SYN_RECV = "03"


class Lab:
    """A network of the model in the kernel: ``with Lab(cluster.network) as lab: …``.

    Parameters: ``prefix`` begins the names of its namespaces (empty: a random one); ``trace`` asks
    netfilter for every packet's way through the rules. Entering raises
    ``K8sNetError`` without root, without a command, or if the kernel refuses something.
    """

    def __init__(self, network: Network, prefix: str = "", *, trace: bool = True) -> None:
        self.prefix = prefix or f"k8sl-{secrets.token_hex(3)}-"
        self.names = tuple(network.netns)
        self.ruled = tuple(
            name for name, ns in network.netns.items() if not ns.ruleset.empty or ns.role == "node"
        )
        self._neighbours = {
            name: tuple(e.ip for e in ns.neighbours.values() if e.mac and _leads_to(ns, e))
            for name, ns in network.netns.items()
        }
        self._dynamic = {n: tuple(native.dynamic_sets(ns)) for n, ns in network.netns.items()}
        self._native = {name for name, ns in network.netns.items() if native.tables_of(ns)}
        self._text = script_of(network, self.prefix)
        self._note: tuple[Path, int] | None = None
        self._taps: dict[str, Tap] = {}
        self._listening: dict[str, int] = {}
        self._trace = trace
        self._tracers: dict[str, subprocess.Popen[bytes]] = {}
        self._heard: dict[str, bytes] = {}
        self._old_handlers: dict[int, object] = {}

    # -- life -----------------------------------------------------------------------------------

    def __enter__(self) -> Lab:
        need_root("The lab")
        self._on_signals()
        try:
            leftovers.remove()
            self._note = leftovers.note((self.prefix + name for name in self.names), self._text)
            self._script("up")
            for name in self.names:
                self._taps[name] = self.inside(name, partial(Tap, name))
                self._listening[name] = self.inside(name, _tcp_sockets)
            self._use_neighbours()
            if self._trace:
                self._start_tracing()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        self._close()

    def _script(self, verb: str) -> None:
        """Runs the script in a session of its own: Ctrl-C reaches us first, and we tell it."""
        assert self._note is not None
        process = subprocess.Popen(
            ["sh", str(self._note[0] / "lab.sh"), verb], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "PYTHON": sys.executable},
        )  # fmt: skip
        try:
            _, said = process.communicate(timeout=MOST_SECONDS)
        except BaseException:
            process.terminate()
            process.wait(MOST_SECONDS)
            raise
        if process.returncode:
            words = said.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise K8sNetError(f"The lab's script failed at '{verb}': {words[-1]}")

    def _close(self) -> None:
        for tap in self._taps.values():
            tap.close()
        self._taps = {}
        for tracer in self._tracers.values():
            tracer.kill()
            tracer.wait(MOST_SECONDS)
        self._tracers = {}
        try:
            if self._note is not None:
                self._script("down")
        finally:
            if self._note is not None:
                leftovers.forget(*self._note)
                self._note = None
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._old_handlers = {}

    def _on_signals(self) -> None:
        """SIGTERM and SIGHUP would end the process at once; now they end it through
        ``__exit__``."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._old_handlers[number] = signal.signal(number, _leave)

    # -- stepping in ----------------------------------------------------------------------------

    def inside(self, name: str, action: Callable[[], T]) -> T:
        """Calls ``action`` in a thread that has stepped into a namespace; returns what it
        returns."""
        result: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                _enter(f"/run/netns/{self.prefix}{name}")
                result.append(action())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(MOST_SECONDS)
        if failed:
            raise failed[0]
        if not result:
            raise K8sNetError(f"{name} did not answer within {MOST_SECONDS:g} seconds.")
        return result[0]

    def run(self, name: str, *words: str, said: str = "") -> str:
        """Runs a command in a namespace; raises ``K8sNetError`` with its complaint if it fails."""
        # A thread's child starts in the thread's namespace; "ip netns exec" would also mount /sys.
        start = partial(
            subprocess.run, words, input=said, text=True, capture_output=True,
            timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
        done = self.inside(name, start)
        if done.returncode:
            raise K8sNetError(f"{name}: {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def rules(self, name: str, table: str = "") -> str:
        """``iptables-save -c`` of a namespace."""
        return self.run(name, "iptables-save", "-c", *(["-t", table] if table else []))

    def connections(self, name: str) -> list[str]:
        """The lines of ``/proc/net/nf_conntrack`` in a namespace."""

        def read() -> list[str]:
            with open("/proc/thread-self/net/nf_conntrack") as file:
                return file.read().splitlines()

        return self.inside(name, read)

    def forget_connections(self) -> None:
        """Empties the conntrack tables (``conntrack -F``) and the lists of ``-m recent``,
        and nftables' dynamic sets."""
        for name in self.names:
            self.inside(name, _flush_connections)
        for name in self.ruled:
            self.inside(name, _flush_recent)
            for one in self._dynamic[name]:
                self.run(name, "nft", "flush", "set", *one.split(" "))

    def forget_paths(self) -> None:
        """Path MTUs that were learned from ICMP (``ip route flush cache``)."""
        for name in self.names:
            self.inside(name, _flush_paths)

    def until_closed(self, *, half_open: bool = False) -> bool:
        """Waits until no TCP connection is left at either end, that is, until the last packet of
        every teardown has arrived. False if that does not happen within some seconds.

        ``half_open`` looks for unanswered SYN/ACKs, too (which takes a while)."""
        look = _half_open if half_open else _tcp_sockets
        end = time.monotonic() + 5
        for name in self.names:
            while self.inside(name, look) > (0 if half_open else self._listening[name]):
                if time.monotonic() > end:
                    return False
                time.sleep(0.01)
        return True

    # -- what happened --------------------------------------------------------------------------

    def settle(self, most: float = 0.0, quiet: float = QUIET_SECONDS) -> list[Raw]:
        """Waits until nothing has moved for ``quiet`` seconds, and returns every frame since the
        last call. ``most``: or until so many seconds have passed; raises ``K8sNetError`` if without
        such a limit it never becomes quiet."""
        frames: list[Raw] = []
        moved = time.monotonic()
        end = moved + (most or MOST_SECONDS)
        while time.monotonic() - moved < quiet:
            if time.monotonic() > end:
                if most:
                    break
                raise K8sNetError("The lab does not come to rest.")
            time.sleep(0.01)
            new = [raw for tap in self._taps.values() for raw in tap.read()]
            frames += new
            if self._listen() or new:
                moved = time.monotonic()
        return frames

    def traced(self) -> dict[str, str]:
        """What ``xtables-monitor --trace`` (where nftables has tables of its own: ``nft monitor
        trace``) has said in each namespace since the last call."""
        heard = {name: text.decode(errors="replace") for name, text in self._heard.items()}
        self._heard = dict.fromkeys(self._heard, b"")
        return heard

    def _listen(self) -> bool:
        some = False
        for name, tracer in self._tracers.items():
            assert tracer.stdout is not None
            while data := _available(tracer.stdout.fileno()):
                self._heard[name] += data
                some = True
            some = _still_unread(tracer.pid) or _at_work(tracer.pid) or some
        return some

    def _start_tracing(self) -> None:
        for name in self.ruled:
            self.run(name, "nft", "-f", "-", said=_TRACE_ALL)
            monitor = native.MONITOR if name in self._native else ("xtables-monitor", "--trace")
            self._tracers[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.prefix + name, *monitor],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            self._heard[name] = b""
        self._until_they_listen()

    def _until_they_listen(self) -> None:
        """Nothing says when a monitor has subscribed: knock until it reports the knock."""
        end = time.monotonic() + 10
        while deaf := [name for name, heard in self._heard.items() if not heard]:
            if time.monotonic() > end:
                raise K8sNetError(f"The monitor does not report anything in {deaf[0]}.")
            for name in deaf:
                self.inside(name, partial(_say, "127.0.0.1"))
            time.sleep(0.03)
            self._listen()
        for tracer in self._tracers.values():
            _enlarge_buffers(tracer.pid)

    def _use_neighbours(self) -> None:
        """One packet to each neighbour. A bridge treats a neighbour that nobody ever sent to in
        another way (no cached header: the frame goes through the bridge device once more).

        Not into a tunnel: its outer packet would make nodes ask for each other that had not yet,
        and such an answer is asked for again 5 s later, in the middle of some other send."""
        for name, addresses in self._neighbours.items():
            for ip in addresses:
                self.inside(name, partial(_say, ip))


def _leads_to(ns: Netns, neighbour: Neighbour) -> bool:
    """True if a packet for the neighbour would go to it, and not by a route of another device."""
    device, route = ns.devices.get(neighbour.dev), ns.routes.lookup(neighbour.ip)
    if device is None or route is None:
        return False
    return device.vxlan is None and route.dev == device.name


#: A table beside iptables' own (iptables-save does not see it) asks for a trace of every packet.
TRACE_TABLE = "k8snet-trace"
_TRACE_ALL = f"""table ip {TRACE_TABLE} {{
  chain pre {{ type filter hook prerouting priority -350; meta nftrace set 1; }}
  chain out {{ type filter hook output priority -350; meta nftrace set 1; }}
}}
"""


def _enlarge_buffers(pid: int) -> None:
    """xtables-monitor asks the kernel about every rule it prints, and is slower than the packets:
    its netlink sockets get room for all that waits (through a copy of its handles)."""
    libc, process = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                handle = libc.syscall(_PIDFD_GETFD, process, int(name), 0)
                if handle >= 0:
                    with socket.socket(fileno=handle) as copy:
                        copy.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 << 20)
    finally:
        os.close(process)


def _still_unread(pid: int) -> bool:
    """True while the kernel has news for a monitor that it has not yet read; raises
    ``K8sNetError`` if some were lost."""
    with open(f"/proc/{pid}/net/netlink") as file:
        rows = [line.split() for line in file.read().splitlines()[1:]]
    rows = [row for row in rows if int(row[1]) == _NETLINK_NETFILTER]
    if any(int(row[8]) for row in rows):
        raise K8sNetError("The monitor was too slow: a part of the trace is lost.")
    return any(int(row[4]) for row in rows)


def _at_work(pid: int) -> bool:
    """True while a process runs or waits for a processor: it has read what it has not yet said."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "R"


def _say(ip: str) -> None:
    """An echo reply that nobody waits for: it is received, and that is all."""
    raw = socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP
    with socket.socket(*raw) as sock, suppress(OSError):
        sock.sendto(b"\0\0\xff\xff\0\0\0\0", (ip, 0))


def need_root(what: str) -> None:
    """Raises ``K8sNetError`` unless this process may make network namespaces."""
    if sys.platform != "linux":
        raise K8sNetError(f"{what} needs Linux.", "Everything else of k8snetlib runs here, too.")
    if os.geteuid() != 0:
        raise K8sNetError(f"{what} needs root: it makes network namespaces.", "Try sudo.")


def need_tools(*names: str) -> None:
    """Raises ``K8sNetError`` that names the first command which is not on this machine."""
    for name in names:
        if shutil.which(name) is None:
            raise K8sNetError(f"This needs the command {name}, which is not on this machine.")


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _enter(path: str) -> None:
    """``setns``: this thread, and no other, moves into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"{path}: {os.strerror(number)}")
    finally:
        os.close(handle)


def _available(handle: int) -> bytes:
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        return os.read(handle, 1 << 16) if selector.select(0) else b""


def _flush_paths() -> None:
    with open("/proc/sys/net/ipv4/route/flush", "w") as file:
        file.write("1\n")


def _tcp_sockets() -> int:
    """How many TCP sockets the namespace has, listening ones included."""
    with open("/proc/thread-self/net/sockstat") as file:
        return int(re.findall(r"TCP: inuse (\d+)", file.read())[0])


def _half_open() -> int:
    """Connections of which only the SYN has come: they are no sockets yet."""
    with open("/proc/thread-self/net/tcp") as file:
        return sum(line.split()[3] == _SYN_RECV for line in file.read().splitlines()[1:])


def _flush_recent() -> None:
    folder = "/proc/thread-self/net/xt_recent"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), "w") as file:
            file.write("/\n")


def _flush_connections() -> bool:
    """Deletes every conntrack entry of the namespace, by ctnetlink."""
    body = struct.pack("=BBH", 0, 0, 0)
    flags = 1 | 4  # request, acknowledge
    message = struct.pack("=IHHII", 16 + len(body), _CT_DELETE, flags, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(5)
        netlink.send(message)
        answer = netlink.recv(4096)
    return bool(struct.unpack_from("=i", answer, 16)[0] == 0)
