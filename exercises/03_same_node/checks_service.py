"""The rubric of 03.service: a Service whose client and endpoint are behind one bridge."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same

SYSCTL = "net.bridge.bridge-nf-call-iptables"
NOTHING = "none"


@lru_cache(maxsize=4)
def walk(value: int, endpoint: str) -> Exchange:
    """backend connects to backend-svc; ``value`` is the sysctl on node2."""
    cluster = Cluster.example()
    cluster["node2"].sh(f"sysctl -w {SYSCTL}={value}")
    return cluster.connect("backend", "backend-svc", port=80, endpoint=endpoint)


@lru_cache(maxsize=4)
def facts(value: int, endpoint: str) -> tuple[str, str]:
    """(outcome, source address of the first TCP packet that comes back to backend)."""
    exchange = walk(value, endpoint)
    for packet in exchange.packets:
        if packet.label.startswith("TCP SA") and packet.end == "backend":
            return exchange.outcome, packet.last.packet.ip.src
    return exchange.outcome, NOTHING


def _said(answer: dict[str, Any], case: str) -> tuple[Any, Any]:
    words = {"timeout": "lost", "times out": "lost", "timed out": "lost", "no answer": "lost"}
    outcome = forms.outcome(answer[f"{case}.outcome"])
    service = "backend-svc"
    reply = forms.address(answer[f"{case}.reply_from"], walk(1, "backend-b").names)
    reply = Cluster.example().address_of(service) if reply == service else reply
    reply = NOTHING if reply in ("None", "nobody", "nothing", "-") else reply
    return (words.get(outcome, outcome) if isinstance(outcome, str) else outcome), reply


_ENDPOINT = (
    "You seem to think that the reply keeps the endpoint's address. "
    "backend has connected to the Service, and waits for its address."
)


def check_on(answer: dict[str, Any], seed: int) -> Findings:
    """With the sysctl, as it should be."""
    said, right = _said(answer, "on"), facts(1, "backend-b")
    if same(said, right):
        return ()
    if said[1] == facts(0, "backend-b")[1]:
        return fail(_ENDPOINT, "REPLY_ENDPOINT", walk(1, "backend-b"))
    return fail("Follow the reply to backend. Which source has it there?", None,
                walk(1, "backend-b"))  # fmt: skip


def check_off(answer: dict[str, Any], seed: int) -> Findings:
    """Without it."""
    said, right = _said(answer, "off"), facts(0, "backend-b")
    if same(said, right):
        return ()
    if said[0] == facts(1, "backend-b")[0]:
        text = (
            "You seem to think that same-node Service traffic needs no sysctl. "
            "The reply goes from port to port: who translates it back?"
        )
        return fail(text, "BRNF", walk(0, "backend-b"))
    if said[1] == NOTHING:
        text = (
            "You seem to think that no rule sees the request any more. "
            "It is sent to the gateway, so node2 routes it, and translates it."
        )
        return fail(text, "NO_RULES_AT_ALL", walk(0, "backend-b"))
    return fail("Outcome and source do not fit. Follow the reply from backend-b.", None,
                walk(0, "backend-b"))  # fmt: skip


def check_far(answer: dict[str, Any], seed: int) -> Findings:
    """Without it, and with an endpoint on another node."""
    said, right = _said(answer, "far"), facts(0, "backend-c")
    if same(said, right):
        return ()
    if said[0] == facts(0, "backend-b")[0]:
        text = (
            "You seem to think that without the sysctl no Service works at all. "
            "This reply comes by the node's routing, not from a port of the bridge."
        )
        return fail(text, "BRNF_ALL", walk(0, "backend-c"))
    if said == (right[0], _endpoint()):
        return fail(_ENDPOINT, "REPLY_ENDPOINT", walk(0, "backend-c"))
    return fail("Follow the reply from backend-c. Who handles it on node2?", None,
                walk(0, "backend-c"))  # fmt: skip


def _endpoint() -> str:
    return Cluster.example().address_of("backend-c")


def _reads(case: str) -> tuple[str, str]:
    return f"{case}.outcome", f"{case}.reply_from"


ITEMS = (
    Item("03.service.on", 1, "With the sysctl", check_on, _reads("on")),
    Item("03.service.off", 3, "Without it", check_off, _reads("off")),
    Item("03.service.far", 2, "Without it, to another node", check_far, _reads("far")),
)
