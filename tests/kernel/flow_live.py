"""Replays the recorded flows in this machine's kernel, beside the model: every flow, every time.

``test_flows`` compares the model with the files; here the same setup, sends and rules go to the kernel
that is running now. All flows of one backend share labs (``verify`` builds a new one only after a
flow that changed it). A flow that this cannot replay is a failure, so none is passed over in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from k8snetlib.errors import K8sNetError
from k8snetlib.lab.verify import Checked, Send, verify
from tests.conftest import require_root, require_tool
from tests.kernel.flow_runner import SEND, Unsupported, load, warm_cluster
from tests.kernel.test_flows import FILES

#: What no recording holds: fragments, another Service, a short TTL without DF.
MORE = (
    Send("web1", "10.96.0.53", 53, "udp"),
    Send("backend", "10.96.0.11", 80),
    Send("node1", "10.96.0.20", 53, "udp"),
    Send("node1", "10.96.0.10", 80),
    Send("ext", "192.168.66.11", 30080),
    Send("web2", "203.0.113.10", 80),
    Send("web2", "10.1.20.3", 33434, "udp", ttl=1, df=False),
    Send("web2", "10.1.20.3", 33434, "udp", ttl=3, df=False),
    Send("web2", "10.1.20.3", 4000, "udp", payload=3000, df=False),
)
TOOLS = (
    "ip",
    "bridge",
    "iptables-restore",
    "iptables-save",
    "xtables-monitor",
    "nft",
    "traceroute",
)


class Replay(NamedTuple):
    """What became of each flow: its sends, or why it could not be replayed."""

    checked: Mapping[str, tuple[Checked, ...]]
    failed: Mapping[str, str]
    ruleset: tuple[str, ...]
    prefix: str


def names_of(backend: str) -> list[str]:
    """The flows of one backend, by the name of their files; the last one stands for ``MORE``."""
    return [p.stem for p in FILES if p.stem.startswith(f"{backend}__")] + ["more"]


def sends_of(flow: Mapping[str, Any]) -> list[Send]:
    """A recorded flow as ``verify`` takes it; raises ``Unsupported`` if it holds anything else."""
    if flow["during"]:
        raise Unsupported("commands in mid-connection")
    setup = tuple((line["netns"], line["command"]) for line in flow["setup"])
    found: list[Send] = []
    for send in flow["send"] if isinstance(flow["send"], list) else [flow["send"]]:
        if unknown := set(send) - SEND - {"command"}:
            raise Unsupported(f"send: {sorted(unknown)}")
        same = {k: send[k] for k in SEND - {"from", "to", "reply_payload"} if k in send}
        # A sidecar shares its pod's address: nothing is drawn, and the model has no such host.
        if same.get("endpoint", "").endswith("-sidecar"):
            del same["endpoint"]
        command = send.get("command", "")
        found.append(Send(send["from"], send.get("to", ""), **same, command=command))
    # Only a flow with several sends needs what the earlier ones left behind.
    return [s._replace(setup=() if at else setup, keeps=bool(at)) for at, s in enumerate(found)]


@cache
def replay(backend: str) -> Replay:
    """All flows of a backend, once in this process."""
    todo: dict[str, list[Send]] = {}
    failed: dict[str, str] = {}
    answers: set[int] = set()
    for path in FILES:
        if path.stem not in names_of(backend):
            continue
        try:
            flow = load(path)
            todo[path.stem] = sends_of(flow)
        except Unsupported as error:
            failed[path.stem] = str(error)
            continue
        several = flow["send"] if isinstance(flow["send"], list) else [flow["send"]]
        answers |= {send["reply_payload"] for send in several if "reply_payload" in send}
    todo["more"] = list(MORE)
    cluster = warm_cluster(backend).clone()
    if len(answers) > 1:
        raise K8sNetError(f"The recorded servers answer with {answers} bytes; one lab has one.")
    for ns in cluster.network.netns.values():
        for key, listener in ns.listeners.items():
            if key[0] == "udp" and listener.tunnel is None and answers:
                ns.listeners[key] = listener._replace(reply=bytes(min(answers)))
    prefix = f"k8sv-{os.getpid()}-"
    every = [send for sends in todo.values() for send in sends]
    try:
        report = verify(cluster, every, prefix=prefix)
    except K8sNetError as error:  # not once more for every flow
        return Replay({}, failed | dict.fromkeys(todo, str(error)), (), prefix)
    rest = iter(report.checked)
    checked = {name: tuple(next(rest) for _ in sends) for name, sends in todo.items()}
    return Replay(checked, failed, report.ruleset, prefix)


def live_test(backend: str) -> Callable[..., None]:
    """The test of one backend: its own file each, so that parallel workers share them out."""

    @pytest.mark.root
    @pytest.mark.slow
    @pytest.mark.parametrize("name", names_of(backend))
    def test(name: str, record_property: Callable[[str, object], None]) -> None:
        require_root()
        for tool in TOOLS:
            require_tool(tool)
        found = replay(backend)
        assert name not in found.failed, f"{name} was not replayed: {found.failed[name]}"
        assert not found.ruleset, "\n".join(found.ruleset)
        checked = found.checked[name]
        assert checked
        different = [f"{one.send}\n{text}" for one in checked for text in one.differences]
        assert not different, "\n".join(different)
        record_property("kernel flows live", name != "more")
        record_property("kernel sends live", len(checked))
        record_property("kernel packets live", sum(one.packets for one in checked))
        record_property("kernel frames live", sum(one.frames for one in checked))
        record_property("kernel ways through the rules live", sum(one.ways for one in checked))

    return test
