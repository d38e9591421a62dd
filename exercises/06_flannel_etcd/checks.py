"""The rubric of 06.talk and 06.restart: predictions about the example cluster.

The model plays the same hours when the check runs; nothing here says what it will find.
``checks_changes`` holds that of 06.changes, ``checks_claim`` and ``checks_leases`` those of the
tasks in which code is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same

Answer = dict[str, Any]
T1, T2 = "23h30m", "25h"


def by(exchange: Exchange, netns: str, stage: str) -> Any:
    """What decided at that namespace's first step of that stage."""
    assert exchange.request is not None
    steps = [step for hop in exchange.request.hops if hop.netns == netns for step in hop.steps]
    return next(step.by for step in steps if step.stage == stage and step.by is not None)


# -- 06.talk --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def example() -> Cluster:
    """The example cluster under vxlan; every pod knows its gateway."""
    cluster = Cluster.example("vxlan")
    for source, target in (("web2", "backend"), ("web2", "backend-c"), ("backend", "backend-b")):
        cluster.ping(source, target)
    return cluster


@lru_cache(maxsize=4)
def later(cut: bool, hours: str) -> Cluster:
    """The cluster some time after etcd stopped, or after node2 was cut off from it."""
    cluster = example().clone()
    if cut:
        cluster.cut_from_etcd("node2")
    else:
        cluster.stop_etcd()
    cluster.advance(hours)
    return cluster


@lru_cache(maxsize=32)
def ping(cut: bool, hours: str, source: str, target: str) -> Exchange:
    """A ping at that time."""
    return later(cut, hours).clone().ping(source, target)


class Flow(NamedTuple):
    """A flow that a task asks about: when, from whom, to whom."""

    cut: bool
    hours: str
    source: str
    target: str

    @property
    def walk(self) -> Exchange:
        """Its walk."""
        return ping(*self)


DOWN1, DOWN2 = Flow(False, T1, "web2", "backend"), Flow(False, "72h", "web2", "backend")
CUT1, CUT2 = Flow(True, T1, "web2", "backend"), Flow(True, T2, "web2", "backend")
OTHER, LOCAL = Flow(True, T2, "web2", "backend-c"), Flow(True, T2, "backend", "backend-b")
BACK = Flow(True, T2, "backend", "web2")


def check_down(answer: Answer, seed: int) -> Findings:
    """All of etcd is lost."""
    said = [forms.yes(answer[f"down.{key}"]) for key in ("t1", "t3")]
    if same(said, [DOWN1.walk.ok, DOWN2.walk.ok]):
        return ()
    if said[0] is False:
        text = (
            "You seem to think that pods stop talking when etcd is down. "
            "No packet asks etcd for its way."
        )
        return fail(text, "ETCD_DOWN", DOWN1.walk)
    text = (
        "You seem to think that leases expire while all of etcd is down. Somebody must end a lease."
    )
    return fail(text, "LEASES_DIE", DOWN2.walk)


def check_cut(answer: Answer, seed: int) -> Findings:
    """One node is cut off."""
    said = [forms.yes(answer[f"cut.{key}"]) for key in ("t1", "t2")]
    if same(said, [CUT1.walk.ok, CUT2.walk.ok]):
        return ()
    if said[0] is False:
        text = (
            "You seem to think that the others notice at once. "
            "etcd waits until the lease has run out."
        )
        return fail(text, "AT_ONCE", CUT1.walk)
    text = (
        "You seem to think that nothing changes for the others. "
        "etcd runs here, and it ends a lease that nobody renews."
    )
    return fail(text, "NO_EXPIRY", CUT2.walk)


def check_others(answer: Answer, seed: int) -> Findings:
    """Whom it does not hurt."""
    said = [forms.yes(answer[f"cut.{key}"]) for key in ("other_node", "same_node")]
    if same(said, [OTHER.walk.ok, LOCAL.walk.ok]):
        return ()
    if said[1] is False:
        text = (
            "You seem to think that pods on one node need flannel. Their bridge alone carries that."
        )
        return fail(text, "LOCAL_TOO", LOCAL.walk)
    text = (
        "You seem to think that one lost lease hurts every node. The other leases are still there."
    )
    return fail(text, "ALL_LOSE", OTHER.walk)


def arrives(exchange: Exchange) -> bool:
    """True if the request reached its target."""
    return exchange.request is not None and exchange.request.delivered


def check_back(answer: Answer, seed: int) -> Findings:
    """The node that is cut off sends."""
    said = [forms.yes(answer[f"back.{key}"]) for key in ("request", "answer")]
    walk = BACK.walk
    if same(said, [arrives(walk), walk.ok]):
        return ()
    if said[0] is False:
        text = (
            "You seem to think that node2 forgets its routes, too. "
            "It hears nothing, so it deletes nothing."
        )
        return fail(text, "CUT_FORGETS", walk)
    text = (
        "You seem to think that one good way is enough. The answer needs a route of its own node."
    )
    return fail(text, "ONE_SIDE_ENOUGH", walk)


_NONE_LEFT = (
    "You seem to think that no route is left for the address. "
    "One line of each table takes every address."
)
_ONE_ROUTE = (
    "You seem to think that one route leads to all pods, as in the udp backend. "
    "Here there is one for each node."
)


def check_route(answer: Answer, seed: int) -> Findings:
    """The route of node1 after the lease has ended."""
    said = forms.route(answer["route"])
    if same(said, forms.route(str(by(CUT2.walk, "node1", "route")))):
        return ()
    if same(said, forms.route(str(by(CUT1.walk, "node1", "route")))):
        text = (
            "You seem to think that node1 keeps the route. "
            "Its flanneld hears that the lease has ended."
        )
        return fail(text, "ROUTE_STAYS", CUT2.walk)
    if forms.nobody(answer["route"]) == "nobody" or "no route" in str(said):
        return fail(_NONE_LEFT, "NONE_LEFT", CUT2.walk)
    if isinstance(said, tuple) and said[0] == "10.1.20.0/24":
        text = (
            "You seem to think that node1 gets another route for the range. "
            "Without a lease, flanneld writes none."
        )
        return fail(text, "ANOTHER_ROUTE", CUT2.walk)
    if isinstance(said, tuple) and said[0] == "10.1.0.0/16":
        return fail(_ONE_ROUTE, "ONE_ROUTE", CUT2.walk)
    return fail("Another route of node1 contains the address now. Print its table at t2.",
                None, CUT2.walk)  # fmt: skip


# -- 06.restart -----------------------------------------------------------------------------------


@lru_cache(maxsize=3)
def restarted(hours: int, file_lost: bool) -> Cluster:
    """node1's flanneld was down for some hours, and starts again."""
    cluster = Cluster.example("host-gw", seed=3)
    cluster.ping("backend", "web2")
    cluster.stop_flanneld("node1")
    cluster.advance(f"{hours}h")
    if file_lost:
        cluster["node1"].sh("rm /run/flannel/subnet.env")
    cluster.start_flanneld("node1")
    cluster.advance("10s")
    return cluster


@lru_cache(maxsize=3)
def keeps(hours: int, file_lost: bool) -> bool:
    """Whether it has the same range as before."""
    lease = restarted(hours, file_lost).flanneld("node1").lease
    assert lease is not None
    return str(lease.subnet) == "10.1.15.0/24"


@lru_cache(maxsize=1)
def reached() -> Exchange:
    """backend connects to web2, after the worst of the restarts."""
    return restarted(25, True).clone().connect("backend", "web2", port=80)


def _same(value: Any) -> Any:
    """True for the same range, False for another."""
    said = value.strip().lower() if isinstance(value, str) else value
    words = {"same": True, "another": False, "other": False, "different": False, "new": False}
    if isinstance(said, str) and said.startswith("10.1."):
        return said.startswith("10.1.15.")
    return words.get(said, said) if isinstance(said, str) else said


def check_remember(answer: Answer, seed: int) -> Findings:
    """One of two memories is left."""
    said = _same(answer["kept"]), _same(answer["short"])
    if same(said, (keeps(25, False), keeps(1, True))):
        return ()
    if said[1] is False and said[0] is True:
        text = (
            "You seem to think that only subnet.env remembers the range. "
            "A lease that still lives names its node."
        )
        return fail(text, "ENV_ONLY")
    text = (
        "You seem to think that a range is lost with its lease. "
        "flanneld first asks for the range in subnet.env."
    )
    return fail(text, "LEASE_ONLY")


def check_long(answer: Answer, seed: int) -> Findings:
    """Both memories are lost."""
    if same(_same(answer["long.lease"]), keeps(25, True)):
        return ()
    text = (
        "You seem to think that a node always keeps its range. Here nothing remembers it any more."
    )
    return fail(text, "SUBNET_KEEP")


def check_bridge(answer: Answer, seed: int) -> Findings:
    """docker0's address."""
    device = restarted(25, True)["node1"].devices["docker0"]
    said = forms.words(answer["long.docker0"])
    if said in (str(device.addresses[0]), device.addresses[0].ip):
        return ()
    if str(said).partition("/")[0] == device.addresses[0].ip:
        return fail("The address is right, but not the length behind it. Print docker0: ip addr.")
    if str(said).startswith("172.17."):
        text = (
            "You seem to think that Docker goes back to its default range. "
            "Nobody has touched docker0 here."
        )
        return fail(text, "DOCKER_DEFAULT")
    if str(said).startswith("192.168."):
        text = "You seem to give eth0's address. docker0 has one of its own, for the pods."
        return fail(text, "ETH0_ADDRESS")
    if str(said).startswith("10.1."):
        text = "You seem to think that the bridge follows the lease. Nobody tells Docker about it."
        return fail(text, "LEASE_BRIDGE")
    return fail("Write the address itself: docker0 has one of the pods' network.")


def check_peers(answer: Answer, seed: int) -> Findings:
    """What the other nodes do with packets for the old range."""
    said = forms.yes(answer["long.reached"]), forms.route(answer["long.route"])
    walk = reached()
    if same(said, (walk.ok, forms.route(str(by(walk, "node2", "route"))))):
        return ()
    old = isinstance(said[1], tuple) and str(said[1][0]).startswith("10.1.15.")
    if said[0] is True or old:
        text = (
            "You seem to think that the others still know the old range. "
            "They have a route for each lease, and only for leases."
        )
        return fail(text, "OLD_RANGE_KNOWN", walk)
    if forms.nobody(answer["long.route"]) == "nobody" or "no route" in str(said[1]):
        return fail(_NONE_LEFT, "NONE_LEFT", walk)
    if isinstance(said[1], tuple) and said[1][0] == "10.1.0.0/16":
        return fail(_ONE_ROUTE, "ONE_ROUTE", walk)
    if isinstance(said[1], tuple) and str(said[1][0]).startswith("10.1."):
        text = (
            "You seem to think that the route of the new range leads to the old pods. "
            "web2's address is not in there."
        )
        return fail(text, "NEW_LEADS", walk)
    return fail(
        "Print node2's routes after the restart. Which contains web2's address?", None, walk
    )


ITEMS = (
    Item("06.talk.down", 2, "All of etcd is lost", check_down, ("down.t1", "down.t3")),
    Item("06.talk.cut", 2, "One node is cut off", check_cut, ("cut.t1", "cut.t2")),
    Item("06.talk.others", 2, "Whom it does not hurt", check_others,
         ("cut.other_node", "cut.same_node")),
    Item("06.talk.back", 2, "The node that is cut off sends", check_back,
         ("back.request", "back.answer")),
    Item("06.talk.route", 2, "The route on node1 at t2", check_route, ("route",)),
    Item("06.restart.remember", 2, "One memory is left", check_remember, ("kept", "short")),
    Item("06.restart.long", 2, "Both memories are lost", check_long, ("long.lease",)),
    Item("06.restart.bridge", 2, "docker0's address", check_bridge, ("long.docker0",)),
    Item("06.restart.peers", 2, "What node2 does", check_peers, ("long.reached", "long.route")),
)  # fmt: skip
