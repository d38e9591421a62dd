"""The rubric of 02.join. Pods come from chance; the model's own kernel says who may bind what."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, fail, wrong_type
from k8snetlib.errors import K8sNetError
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen

#: (container, pod, hostNetwork, socket), as a learner's function gets it.
Start = tuple[str, str, bool, str]
Answer = list[tuple[str, bool]]

NODE, KUBELET = "node1", "0.0.0.0:10250"
ANY, LOCAL = "0.0.0.0", "127.0.0.1"


def join_calls(seed: int) -> tuple[Call, ...]:
    """Containers in the order of their start; each group asks where one mistake shows."""
    dice = random.Random(f"join {seed}")
    one, two = dice.sample(["shop", "cart", "mail", "blog", "wiki", "chat"], 2)
    port, other = dice.sample(range(3000, 9000), 2)
    ip = f"10.{dice.randint(2, 90)}.{dice.randint(100, 250)}.{dice.randint(2, 250)}"

    def start(name: str, pod: str, address: str = ANY, at: int = port, host: bool = False) -> Start:
        return name, pod, host, f"{address}:{at}"

    web, side, log = start("web", one), start("side", one), start("log", one, at=other)
    groups: dict[str, list[list[Start]]] = {
        "space": [
            [web, side, log],
            [web, start("web", two), side],
            [log, start("side", two)],
            [start("agent", one, host=True), start("web", two)],
            [start("web", two, at=10250)],
        ],
        "address": [
            [web, start("side", one, LOCAL)],
            [start("side", one, LOCAL), web],
            [start("web", one, ip), start("side", one, LOCAL), start("log", one, LOCAL)],
        ],
        "host": [
            [start("agent", one, host=True), start("probe", two, host=True)],
            [start("agent", one, at=10250, host=True)],
            [start("agent", one, host=True), start("log", one, host=True)],
        ],
        "lost": [
            [start("web", one, ip), start("side", one), start("log", one, LOCAL)],
            [start("web", one, ip), start("log", one, LOCAL)],
            [start("web", one, ip), start("side", one, ip), start("log", one, LOCAL)],
        ],
    }
    return tuple(Call(group, (starts,)) for group, all_ in groups.items() for starts in all_)


def opened(starts: Sequence[Start]) -> Answer:
    """What the model's kernels do."""
    spaces = {NODE: Netns(NODE, "node")}
    listen(spaces[NODE], Listener("tcp", ANY, 10250, "kubelet"))
    answer = []
    for container, pod, host, socket in starts:
        name = NODE if host else pod
        ip, _, port = socket.partition(":")
        listener = Listener("tcp", ip, int(port), f"{pod}-{container}")
        try:
            listen(spaces.setdefault(name, Netns(name, "pod")), listener)
        except K8sNetError:
            answer.append((name, False))
        else:
            answer.append((name, True))
    return answer


Clash = Callable[[str, str], bool]


def overlap(one: str, two: str) -> bool:
    """True if two sockets, each ADDRESS:PORT, want the same."""
    (a, _, p), (b, _, q) = one.partition(":"), two.partition(":")
    return p == q and (a == b or ANY in (a, b))


def _any(new: str, old: str, at: int) -> bool:
    """Same port, and the new socket (``at`` 0) or the old one (1) is bound to every address."""
    return same_port(new, old) and (new, old)[at].startswith(ANY)


def same_port(one: str, two: str) -> bool:
    """As if only the port counted."""
    return one.partition(":")[2] == two.partition(":")[2]


def believed(
    *,
    space: Callable[[Start], str] | None = None,
    ports: Callable[[Start], str] | None = None,
    clash: Clash = overlap,
    losers: bool = False,
    kubelet: bool = True,
) -> Callable[[Sequence[Start]], Answer]:
    """What somebody predicts who gets one of five things wrong: the namespace, whose ports they
    are, when two sockets clash, whether one that failed still counts, kubelet's own socket."""

    space = space or _by_pod

    def predicts(starts: Sequence[Start]) -> Answer:
        held: dict[str, list[str]] = {NODE: [KUBELET] if kubelet else []}
        answer = []
        for start in starts:
            mine = held.setdefault((ports or space)(start), [])
            free = not any(clash(start[3], socket) for socket in mine)
            if free or losers:
                mine.append(start[3])
            answer.append((space(start), free))
        return answer

    return predicts


def _by_container(start: Start) -> str:
    return f"{start[1]}/{start[0]}"


def _by_pod(start: Start) -> str:
    return NODE if start[2] else start[1]


_OWN = (
    "You seem to think that every container has ports of its own. "
    "The containers of one pod share one namespace, and so one port space."
)
_HOST = (
    "You seem to give a namespace of its own to a pod with hostNetwork. "
    "It lives in the node's namespace, with the node's sockets."
)

JOIN_BELIEFS = (
    Belief("OWN_NS", _OWN, believed(ports=_by_container)),
    Belief("OWN_NS", _OWN, believed(space=lambda start: start[0], ports=_by_container)),
    Belief("OWN_NS", _OWN, believed(space=lambda start: start[0], ports=_by_pod)),
    Belief("OWN_NS", _OWN, lambda starts: [(NODE if s[2] else s[1], True) for s in starts]),
    Belief("OWN_NS", _OWN, lambda starts: [(s[1], True) for s in starts]),
    Belief(
        "NODE_PORTS",
        "You seem to think that all pods of a node share the node's ports. "
        "Each ordinary pod has a port space of its own.",
        believed(ports=lambda start: NODE),
    ),
    Belief(
        "EXACT",
        "You seem to think that only equal addresses clash. "
        "0.0.0.0 means every address of the namespace.",
        believed(clash=lambda one, two: one == two),
    ),
    *(
        Belief(
            "ANY_ONE_WAY",
            "You seem to look at 0.0.0.0 in one of the two sockets only. "
            "It does not matter which one was there first.",
            believed(clash=lambda new, old, at=at: new == old or _any(new, old, at)),
        )
        for at in (0, 1)
    ),
    Belief(
        "PORT_ONLY",
        "You seem to compare ports only. Two different addresses may each have the port.",
        believed(clash=same_port),
    ),
    Belief("HOST_OWN", _HOST, believed(space=lambda start: start[1])),
    Belief("HOST_OWN", _HOST, believed(ports=lambda start: start[1])),
    Belief(
        "EMPTY_NODE",
        "You seem to think that the node's namespace is empty at first. "
        "The node's daemons have sockets in it, too.",
        believed(kubelet=False),
    ),
    Belief(
        "LOSER_HOLDS",
        "You seem to think that a socket which could not be opened still holds its port.",
        believed(losers=True),
    ),
    Belief(
        "ONE_BY_ONE",
        "You seem to compare each container with the one before it only. "
        "Every socket that is open in the namespace counts.",
        lambda starts: [
            (name, not any(
                overlap(starts[at][3], before[3]) for before in starts[max(at - 1, 0) : at]
                if (NODE if before[2] else before[1]) == name
            ) and not (name == NODE and overlap(starts[at][3], KUBELET)))
            for at, name in enumerate(NODE if s[2] else s[1] for s in starts)
        ],
    ),
)  # fmt: skip


def read(value: Any) -> Any:
    """Each pair as (namespace, opened)."""
    if not isinstance(value, list):
        return value
    return [tuple(pair) if isinstance(pair, list) else pair for pair in value]


def equal(left: Any, right: Any) -> bool:
    """Equal pairs, in the same order; 1 is not True."""
    return repr(left) == repr(right)


def misshapen(replies: Sequence[Reply]) -> Findings:
    """A finding if some answer is not one pair of a text and a bool for each container."""
    bad = wrong_type(replies, (list,), "a list of pairs (namespace, opened)")
    for reply in () if bad else replies:
        value, starts = reply.value, reply.args[0]
        if len(value) != len(starts):
            return fail("The list must have one pair for each container, in their order.")
        if not all(isinstance(p, list) and [*map(type, p)] == [str, bool] for p in value):
            text = "Each pair must be the name of a namespace, and True or False."
            return fail(text, None, join_witness(reply))
    return bad


def check_join(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of starts."""
    return misshapen(replies) or compare(
        replies,
        opened,
        JOIN_BELIEFS,
        "Some container joins another namespace, or its socket does not open as you say.",
        read=read,
        equal=equal,
        witness=join_witness,
    )


def join_witness(reply: Reply) -> str:
    """The containers as they started, and what the answer says of each."""
    lines = []
    for at, (name, pod, host, socket) in enumerate(reply.args[0]):
        said = reply.value[at] if at < len(reply.value) else "nothing"
        where = f"{pod}/{name}" + (" (hostNetwork)" if host else "")
        lines.append(f"{where:<24} wants {socket:<22} you say {said}")
    return "\n".join(lines)


CALLS = {"02.join": join_calls}

ITEMS = (
    Item("02.join.space", 3, "Containers of one pod, and of two", check_join),
    Item("02.join.address", 3, "Sockets with different addresses", check_join),
    Item("02.join.host", 3, "Pods with hostNetwork", check_join),
    Item("02.join.lost", 1, "A container that failed", check_join),
)
