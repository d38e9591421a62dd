"""The rubric of 08.chances: kube-proxy's own chain says which chances are right."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster
from k8snetlib.course import forms
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, fail, wrong_type
from k8snetlib.kube.api import Service, ServicePort, slice_of

ROUNDING = 0.0051  # two digits will do


def chances_calls(seed: int) -> tuple[Call, ...]:
    """Some numbers of endpoints, and none at all."""
    dice = random.Random(f"chances {seed}")
    several = [3, *sorted(dice.sample(range(4, 12), 3))]
    return (*(Call("rules", (n,)) for n in (1, 2, *several)), Call("none", (0,)))


@lru_cache(maxsize=16)
def in_kube_proxy(n: int) -> tuple[float, ...]:
    """The chances in kube-proxy's own chain for n endpoints; a rule without a condition has 1."""
    spec = generated_spec(1)
    made = [spec.pods[0]._replace(name=f"p{i}", ip=f"10.200.0.{i + 10}") for i in range(n)]
    service = Service("shop", "10.96.7.7", (ServicePort("", "tcp", 80, 8080),))
    cluster = Cluster(spec._replace(services=(service,), slices=(slice_of(service, made),)))
    saved = cluster["node1"].sh("iptables-save -t nat").splitlines()
    jumps = [r for r in saved if r.startswith("-A KUBE-SVC-") and "-j KUBE-SEP-" in r]
    found = [re.search(r"--probability (\S+)", rule) for rule in jumps]
    return tuple(float(match[1]) if match else 1.0 for match in found)


def _chances(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    last = len(value) - 1
    read = [forms.chance(v) for v in value]
    return [1.0 if v is None and at == last else v for at, v in enumerate(read)]


def close(left: Any, right: Any) -> bool:
    """True if two lists of numbers are the same, but for rounding."""
    if not (isinstance(left, list) and len(left) == len(right)):
        return False
    return all(
        isinstance(a, float) and abs(a - b) < ROUNDING for a, b in zip(left, right, strict=True)
    )


_1N = (
    "You seem to give every rule the chance 1/n. "
    "But a later rule sees only what the earlier ones left."
)

CHANCE_BELIEFS = (
    Belief("PROB_1N", _1N, lambda n: [1 / n] * n),
    Belief("PROB_1N", _1N, lambda n: [1 / n] * (n - 1) + [1.0]),
    Belief("RR", "You seem to think that rules take turns. A rule with chance 1 takes everything.",
           lambda n: [1.0] * n),
    Belief("BACKWARDS", "You seem to begin with the rule that is asked last. "
           "The first one is asked when all endpoints are still open.",
           lambda n: [1 / (i + 1) for i in range(n)]),
    Belief("BACKWARDS", "You seem to count the endpoints that have been asked. "
           "What matters is how many are still open.",
           lambda n: [1 / (i + 2) for i in range(n - 1)] + [1.0]),
    Belief("CUMULATIVE", "You seem to add up the shares. "
           "Each number is about one rule, and about what comes to it.",
           lambda n: [(i + 1) / n for i in range(n)]),
    Belief("HALVES", "You seem to let each rule take half. "
           "Then the endpoint behind the first rule gets more than all others.",
           lambda n: [0.5] * (n - 1) + [1.0]),
    Belief("SHARE_LEFT", "You seem to write what is left over for a rule. "
           "Asked is the chance with which it takes what comes to it.",
           lambda n: [(n - i) / n for i in range(n)]),
)  # fmt: skip


def _form(replies: Sequence[Reply]) -> Findings:
    """Lists that are too short or too long, and percentages without their sign."""
    for reply in replies:
        said, n = _chances(reply.value), reply.args[0]
        if len(said) != n:
            return fail(f"With {n} endpoints there are {n} rules, and a number for each of them.")
        if any(isinstance(one, float) and one > 1 + ROUNDING for one in said):
            return fail("A chance is at most 1. A percentage is a text with its sign: '25 %'.")
    return ()


def check_rules(replies: Sequence[Reply], seed: int) -> Findings:
    """The chances for one endpoint and more."""
    return (
        wrong_type(replies, (list,), "a list of numbers")
        or _form(replies)
        or compare(
            replies,
            lambda n: list(in_kube_proxy(n)),
            CHANCE_BELIEFS,
            "kube-proxy's chain has other chances. What does each rule leave for the next?",
            read=_chances,
            equal=close,
            witness=chance_witness,
        )
    )


def chance_witness(reply: Reply) -> str | None:
    """What share each endpoint would get."""
    if not isinstance(reply.value, list) or not all(isinstance(v, float) for v in reply.value):
        return None
    left, rows = 1.0, []
    for at, chance in enumerate(reply.value):
        rows.append(f"endpoint {at + 1:<5}{left * chance:8.1%}")
        left -= left * chance
    return "\n".join(
        [f"n = {reply.args[0]}, by your chances:", *rows, f"nobody        {left:8.1%}"]
    )


def check_none(replies: Sequence[Reply], seed: int) -> Findings:
    """No endpoint at all."""
    text = (
        "You seem to think that a Service without endpoints still has an endpoint rule. "
        "There is nothing to choose from."
    )
    return wrong_type(replies, (list,), "a list of numbers") or compare(
        replies,
        lambda n: list(in_kube_proxy(n)),
        (Belief("NONE_LEFT", text, lambda n: [1.0]),),
        "With no endpoint there is no rule to give a chance to.",
        read=_chances,
        equal=close,
    )


CALLS = {"08.chances": chances_calls}

ITEMS = (
    Item("08.chances.rules", 3, "The chances, rule by rule", check_rules),
    Item("08.chances.none", 1, "No endpoint at all", check_none),
)
