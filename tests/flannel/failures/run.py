"""What lives here: how a failure is told and measured: break, look, repair, and who talks meanwhile.

A failure is a function that drives one ``Run``: it types what breaks the cluster, looks with real
commands, lets time pass, repairs, and says at each moment who should talk to whom. The run notes
what was typed, what was printed and what was *measured*: a ping and a transfer of 3,000 bytes for
each pair, both in a copy of the cluster. The tests compare measured with expected, the page
``docs/flannel-failures.md`` is written from the measured, and ``tests/kernel`` sends the same
packets through this machine's kernel at each moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.reach import judge
from k8snetlib.trace import Exchange

BACKENDS = ("udp", "vxlan", "host-gw")
LEASES = "/coreos.com/network/subnets"
#: What is sent besides the ping, in bytes: more than one packet of any backend.
TRANSFER = 3000

#: What can become of a pair of hosts, and what it means.
FATES = {
    "✔": "they talk",
    "NAT": "they talk, but the receiver sees another source address than the one that was sent",
    "small": "a ping passes, a transfer of 3,000 bytes does not",
    "one way": "the request arrives, the answer does not come back",
    "wrong": "another host got the request",
    "✘": "the request does not arrive",
}
TALKS, NAT, SMALL, ONE_WAY, WRONG, CUT = FATES

#: The pairs that are always asked: a column of the page -> who sends to whom.
PAIRS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "same node": (("web1", "web2"), ("backend", "backend-b")),
    "1→2": (("web2", "backend"),),
    "2→1": (("backend", "web2"),),
    "1→3": (("web2", "backend-c"),),
    "3→1": (("backend-c", "web2"),),
    "2→3": (("backend", "backend-c"),),
    "3→2": (("backend-c", "backend"),),
    "nodes": tuple((a, b) for a in ("node1", "node2") for b in ("node2", "node3") if a != b),
}
_PORTS = {"web": 80, "backend": 8080, "node": 10250, "late": 8080}


class Said(NamedTuple):
    """A command and what it printed. ``kind``: break, look or repair; ``host`` is "" for something
    that nobody types (a cut cable). ``wanted``: what of the text shows it; ``never``: what is
    missing in it."""

    kind: str
    host: str
    command: str
    printed: str = ""
    wanted: tuple[str, ...] = ()
    never: str = ""


class Moment(NamedTuple):
    """Who talked to whom at one time: a fate for each column, as expected and as measured;
    ``reasons`` in the model's words. ``sound``: the cluster is whole at this moment."""

    when: str
    expected: Mapping[str, str]
    measured: Mapping[str, str]
    reasons: Mapping[str, str]
    sound: bool


class Run:
    """One failure in one cluster.

    Parameters: ``backend`` is flannel's; ``at`` is called at each moment with the cluster as it is
    (``tests/kernel`` sends there too).
    """

    def __init__(self, backend: str, at: Callable[[str, Cluster], None] | None = None) -> None:
        self.backend = backend
        self.at = at
        self.cluster = Cluster.example(backend)
        self.pairs = dict(PAIRS)
        self.story: list[Said | Moment] = []

    # -- what is done ---------------------------------------------------------------------------

    def breaks(self, host: str, *commands: str) -> None:
        """What goes wrong, as commands on a host."""
        self._type("break", host, commands)

    def repairs(self, host: str, *commands: str) -> None:
        """What mends it."""
        self._type("repair", host, commands)

    def _type(self, kind: str, host: str, commands: Iterable[str]) -> None:
        for command in commands:
            self.cluster[host].sh(command)
            self.story.append(Said(kind, host, command))

    def happens(self, words: str, act: Callable[[Cluster], None], kind: str = "break") -> None:
        """Something that is no command at a prompt."""
        act(self.cluster)
        self.story.append(Said(kind, "", words))

    def options(self, node: str, words: str, kind: str = "repair") -> None:
        """flanneld's command line in its unit file, and a restart."""
        self.happens(
            f"# flanneld on {node} with {words}; systemctl restart flanneld",
            lambda cluster: cluster.restart_flanneld(node, words), kind,
        )  # fmt: skip

    def wait(self, time: str, kind: str = "break") -> None:
        """Time passes."""
        self.happens(f"# {time} pass", lambda cluster: cluster.advance(time), kind)

    # -- what is seen ---------------------------------------------------------------------------

    def sees(self, host: str, command: str, *wanted: str, never: str = "") -> None:
        """A command that shows the failure: each of ``wanted`` is in what it prints, ``never`` is
        not. Both are checked at once."""
        try:
            printed = self.cluster[host].sh(command)
        except K8sNetError as error:
            printed = error.message
        assert all(text in printed for text in wanted), f"{host}# {command}\n{printed}\n{wanted}"
        assert not never or never not in printed, f"{host}# {command}\n{printed}"
        self.story.append(Said("look", host, command, printed, wanted, never))

    def talk(self, when: str, expected: Mapping[str, str] | None = None) -> None:
        """A moment of the table: ``expected`` names the columns in which not all is well."""
        fates = dict.fromkeys(self.pairs, TALKS) | dict(expected or {})
        measured, reasons = {}, {}
        for column, pairs in self.pairs.items():
            found = [fate_of(self.cluster, *pair) for pair in pairs]
            measured[column] = " / ".join(sorted({one for one, _ in found}))
            reasons[column] = found[0][1]
        self.story.append(Moment(when, fates, measured, reasons, not expected))
        if self.at is not None:
            self.at(when, self.cluster)

    @property
    def moments(self) -> list[Moment]:
        """The rows of the table."""
        return [one for one in self.story if isinstance(one, Moment)]

    def said(self, kind: str) -> list[Said]:
        """What was typed to break, to look, or to repair."""
        return [one for one in self.story if isinstance(one, Said) and one.kind == kind]


def fate_of(cluster: Cluster, sender: str, target: str) -> tuple[str, str]:
    """What becomes of a ping and of a transfer (one of ``FATES``), and the model's words for it."""
    ping = cluster.clone().ping(sender, target)
    pair = judge(sender, target, ping)
    if pair.fate == "wrong host":
        return WRONG, f"{pair.end} got it"
    if pair.fate == "no answer":
        return ONE_WAY, _why(ping)
    if pair.fate not in ("reached", "translated"):
        return CUT, _why(ping)
    port = _PORTS[re.match(r"[a-z]+", target)[0]]  # type: ignore[index]
    transfer = cluster.clone().connect(sender, target, port, payload=TRANSFER)
    if not transfer.ok:
        return SMALL, transfer.reason
    return (NAT if pair.fate == "translated" else TALKS), ""


def _why(ping: Exchange) -> str:
    """The model's words; for a packet that was merely passed over, what became of it."""
    if ping.reason.startswith("nobody answered within"):
        for trace in reversed(ping.packets):
            last = trace.steps[-1]
            if last.verdict == "ignore" and not trace.label.startswith("ARP"):
                return f"{trace.label} ended at {trace.hops[-1].netns}: {last.reason}"
    return ping.reason


def around(node: int, to: str, back: str = "", pairs: Iterable[str] = PAIRS) -> dict[str, str]:
    """The columns to a node's pods (``to``) and from them (``back``; "" leaves them well)."""
    found = {}
    for column in pairs:
        if column.endswith(f"→{node}"):
            found[column] = to
        elif back and column.startswith(f"{node}→"):
            found[column] = back
    return found


class Failure(NamedTuple):
    """A row of the overview and a section of the page. ``play`` drives a ``Run``; ``backends`` are
    those to which it applies, ``elsewhere`` says why not to the others. Who asks about it: see
    ``table.ASKED``."""

    key: str
    title: str
    cause: str
    symptom: str
    repair: str
    play: Callable[[Run], None]
    backends: tuple[str, ...] = BACKENDS
    elsewhere: str = ""


def played(failure: Failure, backend: str) -> Run:
    """A failure, played to its end."""
    run = Run(backend)
    failure.play(run)
    return run
