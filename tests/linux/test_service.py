"""Agents, units and their journal: who acts when, and what systemctl and journalctl print."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import inf

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand, K8sNetError
from k8snetlib.linux.clock import go_duration, go_time, journal_time, klog_head
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.service import Service, install


class Clockwork:
    """An agent that acts at given times, and notes who acted when."""

    def __init__(self, network: Network, name: str, times: list[float], log: list[str]) -> None:
        self.network, self.name, self.times, self.log = network, name, times, log

    def due(self) -> float:
        return self.times[0] if self.times else inf

    def act(self) -> None:
        self.log.append(f"{self.name}@{self.network.now:g}")
        self.times.pop(0)

    def clone(self, network: Network) -> Clockwork:
        return Clockwork(network, self.name, list(self.times), [])


def test_agents_act_in_the_order_of_time_then_of_their_names_coming() -> None:
    network, log = Network(), []  # type: ignore[var-annotated]
    network.agents.add(Clockwork(network, "b", [5, 10, 10], log))
    network.agents.add(Clockwork(network, "a", [5, 10], log))
    network.advance(4)
    assert log == []
    twin = network.clone()
    network.advance(6)
    assert log == ["b@5", "a@5", "b@10", "a@10", "b@10"]
    twin.advance(100)
    assert twin.agents["a"].log == ["a@5", "a@10"]  # type: ignore[attr-defined]
    assert twin.now == 104
    with pytest.raises(K8sNetError, match="already an agent called a"):
        network.agents.add(Clockwork(network, "a", [], log))


def test_what_is_held_back_comes_afterwards() -> None:
    network, log = Network(), []  # type: ignore[var-annotated]
    clockwork = Clockwork(network, "a", [], log)
    network.agents.add(clockwork)
    with network.agents.hold():
        clockwork.times = [0]
        network.agents.look("a")
        network.settle()
        assert log == []
    network.settle()
    assert log == ["a@0"]


def test_an_agent_that_never_rests_is_stopped() -> None:
    network = Network()
    network.agents.add(Clockwork(network, "a", [0.0] * 2000, []))
    with pytest.raises(K8sNetError, match="a still finds things to do"):
        network.settle()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.5, "59.5s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m0s"), (82800, "23h0m0s"),
     (86399.25, "23h59m59.25s"), (-60, "-1m0s")],
)  # fmt: skip
def test_go_durations(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_dates() -> None:
    """The model's clock begins on 1 January 2000, a leap year."""
    assert journal_time(0) == "Jan 01 00:00:00"
    assert journal_time(59 * 86400 + 3661) == "Feb 29 01:01:01"
    assert go_time(366 * 86400) == "2001-01-01 00:00:00 +0000 UTC"


def test_every_day_of_the_first_year() -> None:
    first = datetime(2000, 1, 1)
    for day in range(366):
        date = first + timedelta(days=day)
        assert go_time(day * 86400) == f"{date} +0000 UTC"
        assert journal_time(day * 86400) == f"{date:%b %d %H:%M:%S}"


class Job(Service):
    """A process that wakes the agent ``a`` when it is told to end."""

    def end(self) -> None:
        self.network.agents["a"].times.append(self.now)  # type: ignore[attr-defined]
        self.network.agents.look("a")


def job() -> tuple[Network, Job]:
    network = Network()
    machine = network.add(Netns("m", "node"))
    network.agents.add(Clockwork(network, "a", [], []))
    service = Job(machine, "job", "a job", "/usr/bin/job", restart_sec=5)
    install(service)
    service.start()
    return network, service


def test_systemd_starts_again_what_ended_by_itself_and_counts() -> None:
    """A start by hand begins to count anew. Source: systemd's service_start(), flush_n_restarts."""
    network, service = job()
    for times in (1, 2):
        service.exited(1)
        assert service.due() == network.now + 5
        network.advance(4)
        assert service.state == "activating"
        network.advance(1)
        assert service.running
        assert service.journal[-2].text == (
            f"job.service: Scheduled restart job, restart counter is at {times}."
        )
    service.restart()
    service.exited(1)
    network.advance(5)
    assert service.journal[-2].text.endswith("restart counter is at 1.")


def test_what_systemd_writes_when_a_unit_is_stopped() -> None:
    _, service = job()
    service.stop()
    assert [line.text for line in service.journal] == [
        "Started job.service - a job.", "Stopping job.service - a job...",
        "job.service: Deactivated successfully.", "Stopped job.service - a job.",
    ]  # fmt: skip


def test_what_a_stopped_daemon_set_off_happens_at_once_but_after_it_has_stopped() -> None:
    network, service = job()
    agents = network.agents
    assert not agents.busy
    with agents.hold():
        assert agents.busy
    service.stop()
    assert agents["a"].log == ["a@0"]  # type: ignore[attr-defined]


def test_a_machine_without_a_network_starts_nothing() -> None:
    with pytest.raises(K8sNetError, match=r"alone is in no network\."):
        Service(Netns("alone"), "job", "a job", "/usr/bin/job").start()


def test_klog_s_line_head() -> None:
    """github.com/kubernetes/klog: microseconds, never rounded up to a seventh digit."""
    assert klog_head("I", 86400.5, 7, "main.go") == "I0102 00:00:00.500000       7 main.go]"
    assert klog_head("W", 59.9999995, 12345, "x.go") == "W0101 00:00:59.999999   12345 x.go]"


def test_systemctl() -> None:
    cluster = Cluster.example()
    node1 = cluster["node1"]
    cluster.advance("90s")
    said = node1.sh("systemctl status flanneld.service")
    assert said.startswith("● flanneld.service - flannel")
    assert "Active: active (running) since Sat 2000-01-01 00:00:00 UTC; 1min 30s ago" in said
    assert node1.sh("systemctl is-active flanneld kubelet kube-proxy") == "active\nactive\nactive"
    assert node1.sh("systemctl stop flanneld") == ""
    said = node1.sh("systemctl status flanneld")
    assert said.startswith("○ flanneld.service")
    assert "Active: inactive (dead)" in said
    assert "Stopped flanneld.service - flannel" in said
    cluster.advance("1h")
    assert node1.sh("systemctl is-active flanneld") == "inactive", "stopped by hand stays stopped"
    node1.sh("systemctl start flanneld; systemctl restart kubelet")
    assert cluster.connect("web2", "backend", 8080).ok


def test_journalctl() -> None:
    node1 = Cluster.example()["node1"]
    whole = node1.sh("journalctl -u flanneld").splitlines()
    assert whole[0].startswith("Jan 01 00:00:00 node1 systemd[1]: Started flanneld.service")
    assert node1.sh("journalctl --unit=flanneld -n 2").splitlines() == whole[-2:]
    assert node1.sh("journalctl -u flanneld -n 2 -r").splitlines() == whole[:-3:-1]
    assert node1.sh("journalctl -u flanneld -n 1 -o cat").startswith("I0101 00:00:00.000000")


@pytest.mark.parametrize(
    ("command", "says", "hint"),
    [
        ("systemctl", "Unknown command verb ''", "status, start"),
        ("systemctl enable flanneld", "Unknown command verb 'enable'", ""),
        ("systemctl start", "Too few arguments.", "flanneld"),
        ("systemctl start flaneld", "Failed to start flaneld.service: Unit flaneld.service not", "flanneld"),
        ("systemctl status docker2", "Unit docker2.service could not be found.", "kubelet"),
        ("journalctl", "say whose lines", "-u UNIT"),
        ("journalctl -f -u flanneld", "'-f' is not modelled", "-n"),
        ("journalctl -u nothing", "could not be found", ""),
    ],
)  # fmt: skip
def test_refusals(command: str, says: str, hint: str) -> None:
    with pytest.raises(BadCommand) as refused:
        Cluster.example()["node1"].sh(command)
    assert says in refused.value.message
    assert hint in refused.value.hint
