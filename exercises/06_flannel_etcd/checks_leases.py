"""The rubric of 06.reconcile and 06.resume. A fresh host-gw backend of the model says which routes
should be there; the model's own etcd says what a watch hears, and what is there afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib.address import Prefix
from k8snetlib.course import forms
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, fail
from k8snetlib.etcd.api import DeleteRange, Put, Range, WatchResponse, prefix_end
from k8snetlib.etcd.store import Store
from k8snetlib.flannel.host_gw import route_for

Routes = Sequence[tuple[str, str, str]]
Leases = Mapping[str, str]
Pairs = list[tuple[str, ...]]

# -- 06.reconcile ---------------------------------------------------------------------------------


class Net:
    """A network of chance: its ranges, its nodes, and the routes that every node has anyway."""

    def __init__(self, dice: random.Random) -> None:
        second = dice.randint(2, 90)
        self.network = f"10.{second}.0.0/16"
        thirds = dice.sample(range(1, 250), 6)
        self.ranges = [f"10.{second}.{third}.0/24" for third in thirds]
        self.nodes = [f"192.168.66.{host}" for host in dice.sample(range(11, 90), 6)]
        self.me, self.own = self.nodes[0], self.ranges[0]
        self.always = [
            ("0.0.0.0/0", "192.168.66.1", "eth0"),
            (self.own, "", "docker0"),
            ("192.168.66.0/24", "", "eth0"),
        ]

    def routes(self, *at: int) -> list[tuple[str, str, str]]:
        """The routes of a host-gw node to some others, after those that are always there."""
        return self.always + [(self.ranges[i], self.nodes[i], "eth0") for i in at]

    def leases(self, *at: int) -> dict[str, str]:
        """The leases of some nodes."""
        return {self.ranges[i]: self.nodes[i] for i in at}


@lru_cache(maxsize=16)
def reconcile_calls(seed: int) -> tuple[Call, ...]:
    """One difference at a time. One's own lease is listed in the group ``own`` only."""
    net = Net(random.Random(f"reconcile {seed}"))
    n, me, network = net, net.me, net.network
    static = [("172.20.0.0/16", "192.168.66.1", "eth0"), ("10.200.9.0/24", n.nodes[5], "eth0")]
    moved = {**n.leases(1, 2), n.ranges[2]: n.nodes[3]}

    def call(group: str, routes: Routes, leases: Leases) -> Call:
        return Call(group, (list(routes), dict(leases), me, network))

    return (
        call("add", n.routes(1), n.leases(1, 2, 3)),
        call("add", n.routes(), n.leases(4)),
        call("delete", n.routes(1, 2, 3), n.leases(2)),
        call("delete", n.routes(4), {}),
        call("moved", n.routes(1, 2), moved),
        call("moved", n.routes(2), {n.ranges[2]: n.nodes[4]}),
        call("others", n.routes(1) + static, n.leases(1)),
        call("others", static + n.routes(2, 3), n.leases(3, 2)),
        call("own", n.routes(1), n.leases(0, 1)),
        call("own", n.routes(), n.leases(0)),
    )


def wanted(routes: Routes, leases: Leases, me: str, network: str) -> dict[str, Pairs]:
    """What is missing, and what is too much: against the routes of the model's backend."""
    fresh = [route_for(Prefix.parse(s), node, "eth0") for s, node in leases.items() if node != me]
    should = {(str(route.prefix), route.via or "") for route in fresh}
    inside = Prefix.parse(network)
    there = {
        (prefix, via) for prefix, via, _ in routes
        if via and prefix != "0.0.0.0/0" and inside.contains(Prefix.parse(prefix).network)
    }  # fmt: skip
    return {"add": in_order(should - there), "delete": in_order(there - should)}


def in_order(pairs: Iterable[tuple[str, ...]]) -> Pairs:
    """Pairs in the order in which ``forms.entries`` brings them; what is empty is left out."""
    return sorted((tuple(part for part in pair if part) for pair in pairs), key=repr)


def _like(
    leases_of: Callable[[Routes, Leases, str], Leases] = lambda routes, leases, me: leases,
    **fixed: Pairs,
) -> Any:
    def predict(routes: Routes, leases: Leases, me: str, network: str) -> dict[str, Pairs]:
        return wanted(routes, leases_of(routes, leases, me), me, network) | fixed

    return predict


def _by_subnet(routes: Routes, leases: Leases, me: str, network: str) -> dict[str, Pairs]:
    """As if a subnet were right as soon as any route leads there."""
    found = wanted(routes, leases, me, network)
    there = {prefix for prefix, *_ in routes}
    return {
        "add": [pair for pair in found["add"] if pair[0] not in there],
        "delete": [pair for pair in found["delete"] if pair[0] not in leases],
    }


def _all_routes(keep: Callable[[tuple[str, str, str]], bool]) -> Any:
    """As if every route without a lease had to go, but for those that ``keep`` names."""

    def predict(routes: Routes, leases: Leases, me: str, network: str) -> dict[str, Pairs]:
        found = wanted(routes, leases, me, network)
        there = {(prefix, via) for prefix, via, dev in routes if not keep((prefix, via, dev))}
        return found | {"delete": in_order(there - set(leases.items()))}

    return predict


_FOREIGN = "You seem to think that every route is flannel's. Others write routes, too."
RECONCILE_BELIEFS = (
    Belief(
        "SUBNET_ONLY",
        "You seem to add the new route beside the old one. Two nodes would have one subnet.",
        lambda *args: wanted(*args) | {"delete": _by_subnet(*args)["delete"]},
    ),
    Belief(
        "STALE_ROUTE",
        "You seem to think that routes of dead nodes vanish by themselves. "
        "A starting flanneld has not seen them go.",
        _like(delete=[]),
    ),
    Belief(
        "ADD_AGAIN",
        "You seem to add every route again. The kernel refuses a route that is there.",
        lambda routes, leases, me, network: (
            wanted(routes, leases, me, network) | {"add": wanted([], leases, me, network)["add"]}
        ),
    ),
    Belief(
        "START_AFRESH",
        "You seem to delete every route of flannel's. Those with a lease are in use.",
        lambda routes, leases, me, network: (
            wanted(routes, leases, me, network)
            | {"delete": wanted(routes, {}, me, network)["delete"]}
        ),
    ),
    Belief(
        "ADD_NOTHING",
        "You seem to clean up only. A lease without a route needs one.",
        _like(add=[]),
    ),
    Belief(
        "SUBNET_ONLY",
        "You seem to compare the subnets only. A subnet may have moved to another node.",
        _by_subnet,
    ),
    Belief(
        "OWN_LEASE",
        "You seem to add a route to this node's own subnet. Its pods are behind docker0.",
        lambda routes, leases, me, network: wanted(routes, leases, "nobody", network),
    ),
    Belief("FOREIGN_ROUTES", _FOREIGN, _all_routes(lambda r: not r[1] or r[0] == "0.0.0.0/0")),
    Belief("FOREIGN_ROUTES", _FOREIGN, _all_routes(lambda r: not r[1])),
    Belief("FOREIGN_ROUTES", _FOREIGN, _all_routes(lambda r: r[0] == "0.0.0.0/0")),
    Belief("FOREIGN_ROUTES", _FOREIGN, _all_routes(lambda r: False)),
)


def read_pairs(value: Any) -> Any:
    """Both lists of an answer, each in order, as pairs."""
    if not isinstance(value, dict) or not {"add", "delete"} <= set(value):
        return value
    found = {}
    for key in ("add", "delete"):
        some = forms.entries(value[key])
        found[key] = [pair[:2] if isinstance(pair, tuple) else pair for pair in some] if isinstance(
            some, list) else some  # fmt: skip
    return found


def check_reconcile(replies: Sequence[Reply], seed: int) -> Findings:
    """One kind of difference."""
    for reply in replies:
        if not isinstance(reply.value, dict) or not {"add", "delete"} <= set(reply.value):
            return fail("The answer must be a dict with the keys add and delete: lists of pairs.")
    return compare(
        replies,
        wanted,
        RECONCILE_BELIEFS,
        "After your changes, the routes are not those that the leases ask for.",
        read=read_pairs,
        witness=reconcile_witness,
    )


def reconcile_witness(reply: Reply) -> str:
    """The routes, the leases, and the answer."""
    routes, leases, me, _ = reply.args
    return "\n".join([
        f"me {me}; the routes:", *(f"  {p:<18} {via or '-':<16} {dev}" for p, via, dev in routes),
        "the leases:", *(f"  {subnet:<18} {node}" for subnet, node in leases.items()),
        f"you add    {reply.value['add']}", f"you delete {reply.value['delete']}",
    ])  # fmt: skip


# -- 06.resume ------------------------------------------------------------------------------------

SUBNETS = b"/coreos.com/network/subnets/"
State = dict[str, str]


def _key(subnet: str) -> bytes:
    return SUBNETS + subnet.replace("/", "-").encode()


def _subnet(key: bytes) -> str:
    return key.removeprefix(SUBNETS).decode().replace("-", "/")


def listed(store: Store) -> State:
    """What is there now."""
    kvs = store.range(Range(SUBNETS, prefix_end(SUBNETS))).kvs
    return {_subnet(kv.key): kv.value.decode() for kv in kvs}


@lru_cache(maxsize=16)
def stories(seed: int) -> tuple[tuple[str, tuple[Any, ...], tuple[State, int]], ...]:
    """(group, arguments, what is right). Each story is lived through by the model's etcd."""
    dice = random.Random(f"resume {seed}")
    found = []
    for group, compacted in (("events", False), ("next", False), ("list", True), ("again", True)):
        for _ in range(2):
            found.append((group, *story(dice, compacted)))
    return tuple(found)


def story(dice: random.Random, compacted: bool) -> tuple[tuple[Any, ...], tuple[State, int]]:
    """Leases come and go; the watcher knew the first of them."""
    net, store = Net(dice), Store()
    for _ in range(dice.randint(3, 30)):
        store.put(Put(b"/coreos.com/network/config", b"{}"))
    for at in (0, 1, 2):
        store.put(Put(_key(net.ranges[at]), net.nodes[at].encode()))
    have, since = listed(store), store.range(Range(SUBNETS)).revision + 1
    store.delete_range(DeleteRange(_key(net.ranges[1])))
    store.put(Put(_key(net.ranges[3]), net.nodes[3].encode()))
    store.put(Put(_key(net.ranges[1]), net.nodes[4].encode()))
    for _ in range(2):  # other keys have revisions, too
        store.put(Put(b"/coreos.com/network/config", b"{}"))
    store.put(Put(_key(net.ranges[4]), net.nodes[5].encode()))
    store.delete_range(DeleteRange(_key(net.ranges[2])))
    store.delete_range(DeleteRange(_key(net.ranges[4])))
    if compacted:
        store.compact(since + 3)
        store.put(Put(_key(net.ranges[5]), net.nodes[2].encode()))
    watch = store.watch(SUBNETS, prefix_end(SUBNETS), since)
    answer = reply_of(watch.pending(), store)
    now = store.range(Range(SUBNETS)).revision
    return (have, since, answer), (listed(store), now + 1)


def reply_of(responses: Sequence[WatchResponse], store: Store) -> dict[str, Any]:
    """What etcd said, as plain values; after a compaction, with the list that one asks for."""
    refused = next((r for r in responses if r.canceled), None)
    if refused is not None:
        revision = store.range(Range(SUBNETS)).revision
        return {
            "compacted": refused.compact_revision, "listed": listed(store), "revision": revision,
        }  # fmt: skip
    events = [event for response in responses for event in response.events]
    told = [(event.type, _subnet(event.kv.key), event.kv.value.decode()) for event in events]
    return {"events": told, "revision": responses[-1].revision}


def resume_calls(seed: int) -> tuple[Call, ...]:
    """Every story."""
    return tuple(Call(group, args) for group, args, _ in stories(seed))


def _applied(have: State, reply: Mapping[str, Any], order: Callable[[Any], int]) -> State:
    state = dict(have)
    for kind, subnet, node in sorted(reply["events"], key=order):
        if kind == "PUT":
            state[subnet] = node
        else:
            state.pop(subnet, None)
    return state


def _puts_only(have: State, since: int, reply: Mapping[str, Any]) -> State:
    events = [event for event in reply["events"] if event[0] == "PUT"]
    return _applied(have, {"events": events}, lambda event: 0)


STATE_BELIEFS = (
    Belief(
        "ADDED_ONLY",
        "You seem to apply only what was added. A DELETE event takes a lease away.",
        _puts_only,
    ),
    Belief(
        "PUTS_FIRST",
        "You seem to apply the events in another order. They count in the order of their coming.",
        lambda have, since, reply: _applied(have, reply, lambda event: event[0] == "DELETE"),
    ),
    Belief(
        "PUTS_FIRST",
        "You seem to apply the events in another order. They count in the order of their coming.",
        lambda have, since, reply: _applied(have, reply, lambda event: event[0] == "PUT"),
    ),
)
LIST_BELIEFS = (
    Belief(
        "MERGED_LIST",
        "You seem to add the list to what you knew. What it does not name is gone.",
        lambda have, since, reply: {**have, **reply["listed"]},
    ),
)
_OFF = "You seem to ask again from a revision that you have seen. You would hear it twice."
NEXT_BELIEFS = (
    Belief("OFF_BY_ONE", _OFF, lambda have, since, reply: reply["revision"]),
    Belief(
        "SINCE_KEPT",
        "You seem to ask from the old revision again. What you have heard would come again.",
        lambda have, since, reply: since,
    ),
    Belief(
        "SINCE_KEPT",
        "You seem to count the events. Other keys have revisions, too.",
        lambda have, since, reply: since + len(reply.get("events", ())),
    ),
)
AGAIN_BELIEFS = (
    *(
        Belief(
            "FROM_COMPACT",
            "You seem to go on from the compacted revision. The list is newer than that.",
            lambda have, since, reply, more=more: reply["compacted"] + more,
        )
        for more in (0, 1)
    ),
    *NEXT_BELIEFS,
)  # fmt: skip


def _check_part(part: int, beliefs: Sequence[Belief], otherwise: str) -> Any:
    def check(replies: Sequence[Reply], seed: int) -> Findings:
        for reply in replies:
            if not isinstance(reply.value, list) or len(reply.value) != 2:
                return fail("The answer must be two parts: the leases as a dict, and a revision.")
        truth = {repr(args): right[part] for _, args, right in stories(seed)}
        return compare(
            replies,
            lambda *args: truth[repr(args)],
            beliefs,
            otherwise,
            read=lambda value: forms.whole(value[part]),
            witness=lambda r: f"had {r.args[0]}, since {r.args[1]}\n{r.args[2]}\nyou: {r.value}",
        )

    return check


CALLS = {"06.reconcile": reconcile_calls, "06.resume": resume_calls}

_STATE = "These are not the leases that are there after the reply."
_NEXT = "The watch must go on where the reply ends: nothing twice, and nothing left out."

ITEMS = (
    Item("06.reconcile.add", 2, "A route is missing", check_reconcile),
    Item("06.reconcile.delete", 2, "A route has no lease", check_reconcile),
    Item("06.reconcile.moved", 2, "A subnet has moved", check_reconcile),
    Item("06.reconcile.others", 2, "Routes of others", check_reconcile),
    Item("06.reconcile.own", 2, "One's own lease", check_reconcile),
    Item("06.resume.events", 3, "Events", _check_part(0, STATE_BELIEFS, _STATE)),
    Item("06.resume.next", 2, "The next revision", _check_part(1, NEXT_BELIEFS, _NEXT)),
    Item("06.resume.list", 2, "The list after a compaction", _check_part(0, LIST_BELIEFS, _STATE)),
    Item("06.resume.again", 1, "The next revision after the list",
         _check_part(1, AGAIN_BELIEFS, _NEXT)),
)  # fmt: skip
