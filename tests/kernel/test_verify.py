"""``k8snet verify``, live: the example cluster in this machine's kernel, with the recorded rules.

The flows themselves are replayed by ``test_live_*``, one file a backend. Here stands what must hold
for that to mean anything: a wrong model is found, a lab begins as the model does and goes away.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from k8snetlib import Cluster, K8sNetError
from k8snetlib.cli import main
from k8snetlib.lab import leftovers, script
from k8snetlib.lab.kernel import Lab
from k8snetlib.lab.send import Order, _send_and_wait
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_runner import warm_cluster


def _tools() -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)


def _namespaces(prefix: str) -> list[str]:
    return [p.name for p in Path("/run/netns").glob(f"{prefix}*")]


@pytest.mark.root
@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_a_new_lab_knows_the_same_neighbours_as_the_model(backend: str) -> None:
    """A node that knows another one more has asked for it, and asks again five seconds later: that
    ARP request then falls into whatever is being sent, and looks like a difference."""
    _tools()
    cluster = Cluster.example(backend)
    cluster.ping("web1", "10.1.20.3")
    with Lab(cluster.network, f"k8sn-{os.getpid()}-") as lab:
        lab.settle()
        for name in lab.names:
            kernel = {
                (line.split()[2], line.split()[0], line.split()[4], line.split()[-1])
                for line in lab.run(name, "ip", "neigh", "show").splitlines()
            }
            model = {
                (e.dev, e.ip, e.mac, "PERMANENT" if e.state == "PERMANENT" else "REACHABLE")
                for e in cluster[name].neighbours.values()
                if e.mac
            }
            assert kernel == model, name


@pytest.mark.root
def test_a_wrong_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that begins with another TTL must not pass for the kernel."""
    _tools()
    import k8snetlib.lab.verify as module

    honest = module._send

    def wrong(cluster: Cluster, send: Send, endpoint: str | None) -> object:
        return honest(cluster, send._replace(ttl=63), endpoint)

    monkeypatch.setattr(module, "_send", wrong)
    report = verify(warm_cluster("host-gw"), [Send("web2", "10.1.20.3", proto="icmp")])
    assert not report.ok
    assert "only in the kernel: ICMP echo-request" in str(report)
    assert "ttl64" in str(report) and "ttl63" in str(report)


@pytest.mark.root
def test_an_endpoint_that_chance_never_picks_is_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """externalTrafficPolicy: Local has one endpoint on node2; elsewhere one of three comes soon."""
    _tools()
    monkeypatch.setattr("k8snetlib.lab.verify.DRAWS", 3)
    local = Send("client", "192.168.66.12", 30081, endpoint="backend-c")
    report = verify(warm_cluster("host-gw"), [local], prefix=f"k8se-{os.getpid()}-")
    assert "in 3 tries the kernel never chose backend-c (10.1.30.2)" in str(report)
    assert not report.ok


@pytest.mark.root
def test_a_send_that_keeps_the_one_before_meets_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two pods with one source port behind one address: node1 tracks both, or only the last."""
    _tools()
    import k8snetlib.lab.verify as module

    tracked: list[int] = []
    honest = module._compare

    def spy(cluster: Cluster, model: Cluster, send: Send, record: Any, exchange: Any) -> Any:
        tracked.append(len(record.tracked["node1"]))
        return honest(cluster, model, send, record, exchange)

    monkeypatch.setattr(module, "_compare", spy)
    one, two = (Send(pod, "203.0.113.10", 80, sport=40015) for pod in ("web1", "web2"))
    report = verify(warm_cluster("host-gw"), [one, two, one, two._replace(keeps=True)])
    assert report.ok, str(report)
    assert tracked == [1, 1, 1, 2]


@pytest.mark.root
@pytest.mark.parametrize("coincidence", [True, False])
def test_only_a_coincidence_of_ports_is_tried_again(
    coincidence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A difference that chance explains must not come twice; any other one stands at once."""
    _tools()
    import k8snetlib.lab.verify as module

    honest, seen = module._compare, []

    def first_differs(*arguments: Any) -> Any:
        checked = honest(*arguments)
        seen.append(checked)
        odd = checked._replace(differences=("odd",), coincidence=coincidence)
        return odd if len(seen) == 1 else checked

    monkeypatch.setattr(module, "_compare", first_differs)
    report = verify(warm_cluster("vxlan"), [Send("web2", "10.1.20.3", proto="icmp")])
    assert report.ok == coincidence
    assert len(seen) == 1 + coincidence
    assert not seen[0].coincidence, "two tunnel ports in the model, two in the kernel"


def _verify_in_a_process(prefix: str) -> subprocess.Popen[bytes]:
    """A process that verifies for a long time; its lab's namespaces are there."""
    program = (
        "from k8snetlib import Cluster\n"
        "from k8snetlib.lab.verify import Send, verify\n"
        f"verify(Cluster.example('udp'), [Send('web2', '10.1.20.3', 8080)] * 200, prefix='{prefix}')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.DEVNULL,
        # What runs in the background of a shell ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(_namespaces(prefix)) < 12 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _namespaces(prefix), "the lab never came up"
    return process


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_verify_leaves_nothing_behind(number: signal.Signals) -> None:
    _tools()
    prefix = f"k8si-{os.getpid()}-{int(number)}-"
    process = _verify_in_a_process(prefix)
    time.sleep(0.3)
    process.send_signal(number)
    try:
        process.wait(20)
    finally:
        process.kill()
    assert not _namespaces(prefix)
    assert not Path(f"/run/{prefix.rstrip('-')}").exists()


@pytest.mark.root
@pytest.mark.parametrize("standing", [True, False], ids=["while it sends", "while it is built"])
def test_what_a_killed_verify_left_is_removed_by_the_next(standing: bool) -> None:
    """``kill -9``: nothing can clean up at once. Every trace of it goes with the next lab."""
    _tools()
    prefix, other = f"k8sk-{os.getpid()}-", f"k8so-{os.getpid()}-"
    process = _verify_in_a_process(prefix)
    inodes = {path.stat().st_ino for path in Path("/run/netns").glob(f"{prefix}*")}
    deadline = time.monotonic() + 60
    while standing and not _living(inodes, b"xtables-monitor") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait(20)
    assert _namespaces(prefix), "kill -9 leaves the lab standing"
    assert not standing or _living(inodes, b"xtables-monitor"), "and its programs running"
    assert not standing or _living(inodes, b"inside.py")
    # The numbers of namespaces that are gone come again, in other labs: so these very processes.
    left = set(_living(inodes))
    with Lab(Cluster.example("host-gw").network, other, trace=False):
        assert not _namespaces(prefix)
        assert _namespaces(other)
        assert not leftovers.remove(), "a lab that stands is nobody's leftover"
        assert _namespaces(other)
    deadline = time.monotonic() + 5
    while left & set(_living(inodes)) and time.monotonic() < deadline:
        time.sleep(0.05)  # a killed process may need a moment
    assert not left & set(_living(inodes))
    noted = [p.read_text() for p in leftovers.FOLDER.glob("lab-*/namespaces")]
    assert not [text for text in noted if prefix in text or other in text]
    assert not Path(f"/run/{prefix.rstrip('-')}").exists()


@pytest.mark.root
def test_a_script_that_still_builds_is_ended_before_its_lab_is_removed() -> None:
    require_root()
    text = "trap 'exit 130' TERM\nwhile [ $1 = up ]; do sleep 0.05; done\n"
    folder, handle = leftovers.note((), text)
    builder = subprocess.Popen(["sh", str(folder / "lab.sh"), "up"])
    try:
        time.sleep(0.2)
        leftovers.remove()
        assert builder.poll() is None and folder.exists(), "held: not abandoned"
        os.close(handle)
        # It is our child: somebody has to take its status for it to be gone.
        threading.Thread(target=builder.wait, daemon=True).start()
        leftovers.remove()
        assert builder.wait(5) == 130
        assert not folder.exists()
    finally:
        builder.kill()


def _living(inodes: set[int], called: bytes = b"") -> list[str]:
    """Processes in these network namespaces (a zombie is in none)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        with suppress(OSError):
            words = (path.parent.parent / "cmdline").read_bytes()
            if path.stat().st_ino in inodes and called in words:
                found.append(path.parent.parent.name)
    return found


def test_without_root_it_says_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(K8sNetError, match="needs root"):
        verify(Cluster.example(), [Send("web2", "10.1.20.3", 8080)])
    done = CliRunner().invoke(main, ["verify"])
    assert done.exit_code == 2
    assert "needs root" in done.output


@pytest.mark.root
@pytest.mark.parametrize(("ttl", "status"), [(64, 0), (63, 1)], ids=["agrees", "differs"])
def test_the_command_tells_by_its_status(
    ttl: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tools()
    import k8snetlib.lab.cli as room
    import k8snetlib.lab.verify as module

    honest = module._send
    one = Send("web2", "10.1.20.3", proto="icmp")
    monkeypatch.setattr(room, "default_sends", lambda cluster: (one,))
    monkeypatch.setattr(
        module, "_send", lambda cluster, send, end: honest(cluster, send._replace(ttl=ttl), end)
    )
    done = CliRunner().invoke(main, ["verify", "--backend", "host-gw"])
    assert done.exit_code == status, done.output
    assert ("only in the kernel" in done.output) == bool(status)


class _ErrorAfterData(socket.socket):
    """A raw socket gets an ICMP error as data, and a moment later as the socket's error: poll can
    see the one and recv the other."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")


def test_an_error_between_poll_and_recv_is_what_the_sender_saw() -> None:
    with _ErrorAfterData(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        here = Order("127.0.0.1", sock.getsockname()[1], 0, b"")
        seen = _send_and_wait(sock, here, b"to myself", 5, lambda data: data)
    assert "ttl-exceeded" in seen.outcomes and "delivered" not in seen.outcomes


# -- the script itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_the_script_is_a_shell_script(backend: str, tmp_path: Path) -> None:
    """The shell can read it, and it names no namespace but its own."""
    text = script.script(Cluster.example(backend), "lesson-")
    (tmp_path / "lab.sh").write_text(text)
    subprocess.run(["sh", "-n", str(tmp_path / "lab.sh")], check=True)
    for line in text.splitlines():
        if line.lstrip().startswith(("ip -n", "bridge -n", "ip netns")):
            assert "$prefix" in line or "${prefix}" in line, line


def test_the_script_refuses_other_users_and_other_verbs(tmp_path: Path) -> None:
    path = tmp_path / "lab.sh"
    path.write_text(script.script(Cluster.example(), "lesson-").replace("$(id -u)", "1000"))
    for verb in ("up", "down"):
        done = subprocess.run(["sh", str(path), verb], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "This needs root: it makes network namespaces.\n"
    done = subprocess.run(
        ["sh", str(path), "sideways"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "up|down" in done.stderr


@pytest.mark.parametrize("prefix", ["", "-x", "a b", "a/b", "x" * 40, "$(id)"])
def test_a_prefix_that_the_shell_would_misread_is_refused(prefix: str) -> None:
    with pytest.raises(K8sNetError, match="no prefix"):
        script.script(Cluster.example(), prefix)


@pytest.mark.root
def test_a_script_that_fails_half_way_cleans_up(tmp_path: Path) -> None:
    _tools()
    prefix = f"k8sf-{os.getpid()}-"
    text = script.script(Cluster.example("host-gw"), prefix)
    path = tmp_path / "lab.sh"
    path.write_text(text.replace("# -- the wires", "false", 1))
    done = subprocess.run(["sh", str(path), "up"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert not _namespaces(prefix)
