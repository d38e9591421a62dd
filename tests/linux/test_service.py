"""Agents, units and their journal: who acts when, and what systemctl and journalctl print."""

from __future__ import annotations

from math import inf

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand, K8sNetError
from k8snetlib.linux.clock import go_duration, go_time, journal_time
from k8snetlib.linux.network import Network


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
    [(0, "0s"), (59.5, "59.5s"), (60, "1m0s"), (82800, "23h0m0s"), (86399.25, "23h59m59.25s"),
     (-60, "-1m0s")],
)  # fmt: skip
def test_go_durations(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_dates() -> None:
    """The model's clock begins on 1 January 2000, a leap year."""
    assert journal_time(0) == "Jan 01 00:00:00"
    assert journal_time(59 * 86400 + 3661) == "Feb 29 01:01:01"
    assert go_time(366 * 86400) == "2001-01-01 00:00:00 +0000 UTC"


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
