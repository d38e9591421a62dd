"""The rubric of 06.claim. The learner's compare-and-swap is played on the model's own etcd."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, fail
from k8snetlib.errors import K8sNetError
from k8snetlib.etcd.api import Compare, Put, Txn
from k8snetlib.etcd.store import Store

SUBNETS = "/coreos.com/network/subnets/"
Listed = Sequence[dict[str, Any]]


def key_of(subnet: str) -> str:
    """The key of a range."""
    return SUBNETS + subnet.replace("/", "-")


@lru_cache(maxsize=16)
def claim_calls(seed: int) -> tuple[Call, ...]:
    """A network of sixteen ranges, some of them leased."""
    dice = random.Random(f"claim {seed}")
    second, third = dice.randint(2, 90), 16 * dice.randint(1, 14)
    network = f"10.{second}.{third}.0/20"
    ranges = [f"10.{second}.{third + at}.0/24" for at in range(16)]
    hosts = dice.sample(range(11, 90), 17)
    nodes = [f"192.168.66.{host}" for host in hosts]
    me = nodes[16]

    def listed(some: Sequence[str], mine: str = "") -> list[dict[str, Any]]:
        pairs = [(subnet, nodes[at]) for at, subnet in enumerate(some)]
        pairs += [(mine, me)] if mine else []
        dice.shuffle(pairs)
        return [
            {"key": key_of(subnet), "value": node, "version": dice.randint(2, 40)}
            for subnet, node in pairs
        ]

    # The lowest ranges are taken, and some others: counting or guessing hits a taken one.
    taken = ranges[:5] + dice.sample(ranges[6:14], 6)
    free = next(r for r in ranges[6:14] if r not in taken)
    own = dice.choice(ranges[6:14])
    rest = [r for r in taken if r != own]
    return (
        Call("own", (network, listed(rest, own), me, None)),
        Call("own", (network, listed(rest, own), me, free if free != own else ranges[15])),
        Call("previous", (network, listed(taken), me, free)),
        Call("previous", (network, [], me, ranges[3])),
        Call("taken", (network, listed(taken), me, taken[2])),
        Call("taken", (network, listed(taken[::-1]), me, taken[-1])),
        Call("free", (network, listed(taken), me, None)),
        Call("free", (network, listed([r for r in ranges if r != free]), me, None)),
        Call("free", (network, listed(taken), me, "10.200.7.0/24")),
        Call("swap", (network, listed(taken), me, None)),
        Call("swap", (network, listed(rest, own), me, None)),
        Call("full", (network, listed(ranges), me, None)),
        Call("full", (network, listed(ranges[::-1]), me, None)),
    )


def parts(value: Any) -> tuple[Any, Any, Any] | None:
    """(key, version, value) of an answer; None if it has another form."""
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        return None
    version = forms.whole(value[1])
    if isinstance(version, bool) or not isinstance(version, int | None):
        return None
    return value[0], version, value[2]


def subnet_of(key: str) -> Prefix | None:
    """The range that a key is for; None if it is none."""
    if not key.startswith(SUBNETS):
        return None
    try:
        return Prefix.parse(key.removeprefix(SUBNETS).replace("-", "/"))
    except K8sNetError:
        return None


def verdict(network: str, listed: Listed, me: str, previous: str | None, value: Any) -> str:
    """What an answer does, in one word; the condition is not looked at."""
    if value is None:
        return "none"
    said = parts(value)
    subnet = subnet_of(said[0]) if said else None
    if said is None or subnet is None:
        return "odd"
    if said[2] != me:
        return "value"
    owners = {kv["key"]: kv["value"] for kv in listed}
    if said[0] in owners:
        return "own" if owners[said[0]] == me else "previous taken" if said[0] == key_of(
            previous or network) else "taken"  # fmt: skip
    if subnet.length != 24 or not Prefix.parse(network).contains(subnet.network):
        return "outside"
    return "previous" if str(subnet) == previous else "free"


def swap(listed: Listed, value: Any) -> tuple[bool, bool] | str:
    """Whether the transaction succeeds: at once, and after somebody else wrote the same key."""
    said = parts(value)
    if said is None:
        return "odd"
    key, version, text = said[0].encode(), said[1], str(said[2]).encode()

    def play(raced: bool) -> bool:
        store = Store()
        for kv in listed:
            for _ in range(kv["version"]):
                store.put(Put(kv["key"].encode(), kv["value"].encode()))
        if raced:
            store.put(Put(key, b"192.168.66.199"))
        conditions = () if version is None else (Compare("VERSION", key, "=", version),)
        return store.txn(Txn(conditions, (Put(key, text),))).succeeded

    return play(False), play(True)


_TAKEN = Belief(
    "TAKEN_RANGE",
    "You seem to take a range that another node has. Every listed key is somebody's range.",
    lambda *_: "taken",
)
_KEEP = Belief(
    "SUBNET_KEEP",
    "You seem to think that a node always keeps its range. Another node may have it by now.",
    lambda *_: "previous taken",
)
WANTED = {
    "own": "own", "previous": "previous", "taken": "free", "free": "free", "full": "none",
}  # fmt: skip
BELIEFS = {
    "own": (
        Belief(
            "NEW_EACH_TIME",
            "You seem to think that a node takes a new range each time. "
            "Its lease may be listed already.",
            lambda *args: "free" if args[3] is None else "previous",
        ),
        Belief(
            "NEW_EACH_TIME",
            "You seem to think that a node takes a new range each time. "
            "Its lease may be listed already.",
            lambda *_: "free",
        ),
        Belief(
            "PREVIOUS_FIRST",
            "You seem to ask subnet.env first. The lease that lives comes before it.",
            lambda network, listed, me, previous: "previous" if previous else "own",
        ),
        _TAKEN,
    ),
    "previous": (
        Belief(
            "NO_MEMORY",
            "You seem to forget subnet.env. A node asks for its previous range, if it is free.",
            lambda *_: "free",
        ),
        _TAKEN,
    ),
    "taken": (_KEEP, _TAKEN),
    "free": (
        _TAKEN,
        Belief(
            "OUT_OF_NETWORK",
            "You seem to take any previous range. flannel's Network may have changed since.",
            lambda network, listed, me, previous: "outside" if previous else "free",
        ),
    ),
    "full": (
        Belief(
            "ALWAYS_FREE",
            "You seem to think that some range is always free. A network has an end.",
            lambda *_: "outside",
        ),
        Belief(
            "ALWAYS_FREE",
            "You seem to think that some range is always free. A network has an end.",
            lambda *_: "taken",
        ),
    ),
}  # fmt: skip
_FORM = "The answer must be None, or three parts: key, version, value. A key ends in 10.1.20.0-24."
_VALUE = "The value must be this node's own address, since others read from it where to send."


def _judged(replies: Sequence[Reply]) -> list[Reply]:
    return [reply._replace(value=verdict(*reply.args, reply.value)) for reply in replies]


def _check_range(group: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        judged = _judged(replies)
        words = {reply.value for reply in judged}
        if "odd" in words:
            return fail(_FORM)
        if "value" in words:
            return fail(_VALUE)
        said = {id(a.args): b.value for a, b in zip(judged, replies, strict=True)}
        return compare(
            judged,
            lambda *_: WANTED[group],
            BELIEFS[group],
            "For some list of leases, this is not what flanneld claims.",
            witness=lambda reply: witness(reply, said[id(reply.args)]),
        )

    return check


def witness(reply: Reply, said: Any) -> str:
    """What was listed, and what the answer was."""
    network, listed, me, previous = reply.args
    lines = [f"  {kv['key'].removeprefix(SUBNETS):<18} {kv['value']}" for kv in listed]
    head = f"network {network}, me {me}, previous {previous}, {len(lines)} keys:"
    return "\n".join([head, *lines[:20], f"Your claim returned {said}."])


SWAP_BELIEFS = (
    Belief(
        "BLIND_PUT",
        "You seem to write without a condition. Two nodes may choose one range at the same moment.",
        lambda *_: (True, True),
    ),
    Belief(
        "CREATE_ONLY",
        "You seem to create a key that is there already. One's own lease has a version.",
        lambda network, listed, me, previous: (
            not any(kv["value"] == me for kv in listed), False),
    ),
    *(
        Belief(
            "NEXT_VERSION",
            "You seem to name the version that the key will have. "
            "The condition is about the version before.",
            lambda network, listed, me, previous, kinds=kinds: (
                (False, True) if any(kv["value"] == me for kv in listed) in kinds
                else (True, False)),
        )
        for kinds in ((True,), (False,), (True, False))
    ),
)  # fmt: skip


def check_swap(replies: Sequence[Reply], seed: int) -> Findings:
    """The condition of the transaction."""
    if any(parts(reply.value) is None for reply in replies):
        return fail(_FORM)
    return compare(
        [reply._replace(value=swap(reply.args[1], reply.value)) for reply in replies],
        lambda *_: (True, False),
        SWAP_BELIEFS,
        "etcd must do it when nothing changed, and refuse it when somebody was quicker.",
        witness=lambda reply: f"succeeds at once, and after a race: {reply.value}",
    )


CALLS = {"06.claim": claim_calls}

ITEMS = (
    Item("06.claim.own", 2, "One's own lease is listed", _check_range("own")),
    Item("06.claim.previous", 2, "The previous range is free", _check_range("previous")),
    Item("06.claim.taken", 2, "The previous range is taken", _check_range("taken")),
    Item("06.claim.free", 2, "Any free range", _check_range("free")),
    Item("06.claim.full", 1, "No range is left", _check_range("full")),
    Item("06.claim.swap", 3, "Compare, then write", check_swap),
)
