"""The rubric of 12.sequence and 12.twins: predictions about addresses, and about who has them.

The model's plugins and nodes run when a check runs. ``checks_plugin`` holds the code tasks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.kube.cni.runtime import Runtime

CONFIG = {
    "cniVersion": "1.0.0", "name": "shop", "type": "bridge", "bridge": "cni0",
    "ipam": {"type": "host-local", "subnet": "10.77.0.0/29"},
}  # fmt: skip
REFUSED = "refused"


def address(value: Any) -> Any:
    """An address without its mask; every word for a refusal is one word."""
    text = forms.words(value)
    if not isinstance(text, str):
        return value
    words = ("refused", "none", "no address", "nothing", "error", "fails", "-", "")
    refused = text.lower() in words or "no ip address" in text.lower()
    return REFUSED if refused else text.partition("/")[0]


def _addresses(value: Any) -> Any:
    if isinstance(value, str):
        value = [] if address(value) == REFUSED else value.replace(",", " ").split()
        value = [word for word in value if word != "and"]
    if isinstance(value, dict):
        # Both ways round are understood: address to pod, pod to address.
        value = [part for pair in value.items() for part in pair if "." in str(part)]
    return sorted(map(str, map(address, value))) if isinstance(value, list) else value


# -- 12.sequence ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def diary() -> dict[str, Any]:
    """What each pod got, and which addresses nobody uses at the end though they have a file."""
    runtime = Runtime(Cluster.example()["node1"], CONFIG)
    got: dict[str, Any] = {}
    for pod in ("a", "b"):
        got[pod] = address(runtime.add(pod).address)
    runtime.delete("a")
    got["c"] = address(runtime.add("c").address)
    for lost in ("b", "c"):
        runtime.lose(lost)
    for pod in ("d", "e", "f", "g"):
        got[pod] = address(runtime.add(pod).address)
    files = runtime.node.sh("ls /var/lib/cni/networks/shop").split()
    alive = {got[pod] for pod in ("d", "e", "f", "g")}
    got["leaked"] = sorted(name for name in files if name[0].isdigit() and name not in alive)
    return got


def _said(answer: dict[str, Any], *pods: str) -> tuple[Any, ...]:
    return tuple(address(answer[pod]) for pod in pods)


def _right(*pods: str) -> tuple[Any, ...]:
    return tuple(diary()[pod] for pod in pods)


def check_round(answer: dict[str, Any], seed: int) -> Findings:
    """The addresses of c and d."""
    said = _said(answer, "c", "d")
    if same(said, _right("c", "d")):
        return ()
    if said[0] == diary()["a"]:
        text = (
            "You seem to think that the lowest free address comes next. "
            "host-local goes on behind the last one it gave."
        )
        return fail(text, "LOWEST_FREE")
    if said == (diary()["c"], diary()["a"]):
        text = (
            "You seem to think that a restart begins the range anew. "
            "The last address stands in a file on the disk."
        )
        return fail(text, "RESTART_FORGETS")
    if said[1] == diary()["b"]:
        text = (
            "You seem to think that a restart frees the addresses of lost pods. "
            "The files are on the disk, and stay."
        )
        return fail(text, "FREES_ITSELF")
    return fail("Write down after each line which address was given last.")


def check_wrap(answer: dict[str, Any], seed: int) -> Findings:
    """The addresses of e and f."""
    said = _said(answer, "e", "f")
    if same(said, _right("e", "f")):
        return ()
    if said[1] == REFUSED:
        text = (
            "You seem to think that the range ends at its last address. "
            "host-local begins again at the front."
        )
        return fail(text, "NO_WRAP")
    if said[1] == "10.77.0.1":
        text = "You seem to give the gateway's address to a pod. The bridge has it already."
        return fail(text, "GATEWAY_GIVEN")
    if said[1] in diary()["leaked"]:
        text = (
            "You seem to think that an address is free when its pod is gone. "
            "Only DEL removes its file."
        )
        return fail(text, "FREES_ITSELF")
    if "10.77.0.7" in said:
        text = "You seem to give the broadcast address to a pod. It belongs to all of the subnet."
        return fail(text, "BROADCAST_GIVEN")
    return fail("Which address comes after the last one of the range, and is it free?")


def check_full(answer: dict[str, Any], seed: int) -> Findings:
    """What g gets."""
    said = _said(answer, "g")
    if same(said, _right("g")):
        return ()
    if said[0] in diary()["leaked"]:
        text = (
            "You seem to think that an address is free when its pod is gone. "
            "Only DEL removes its file."
        )
        return fail(text, "FREES_ITSELF")
    if said[0] in ("10.77.0.1", "10.77.0.7"):
        text = "A gateway and a broadcast address are never given to a pod. What is left for g?"
        return fail(text, "GATEWAY_GIVEN" if said[0].endswith("1") else "BROADCAST_GIVEN")
    return fail("Count the files before this ADD, and the addresses of the range.")


def check_leaked(answer: dict[str, Any], seed: int) -> Findings:
    """The addresses that leaked."""
    said = _addresses(answer["leaked"])
    if same(said, diary()["leaked"]):
        return ()
    if said == []:
        text = (
            "You seem to think that somebody cleans up after lost pods. "
            "Nobody called DEL, and host-local asks nobody."
        )
        return fail(text, "FREES_ITSELF")
    if isinstance(said, list) and diary()["a"] in said:
        text = "You seem to think that DEL leaves the address taken. It removes the address's file."
        return fail(text, "DEL_KEEPS")
    if isinstance(said, list) and all(len(name) == 1 for name in said):
        return fail("Name the addresses that have leaked, not the pods that had them.")
    return fail("An address has leaked if it has a file, and its pod is gone.")


# -- 12.twins -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def clash() -> Cluster:
    """The example with host-gw; node2's pods got their addresses from node1's range."""
    cluster = Cluster.example("host-gw", flanneld="--ip-masq=false")
    for host, device, old, new in (
        ("node2", "docker0", "10.1.20.1", "10.1.15.1"),
        ("backend", "eth0", "10.1.20.3", "10.1.15.2"),
        ("backend-b", "eth0", "10.1.20.4", "10.1.15.3"),
    ):
        cluster[host].sh(f"ip addr del {old}/24 dev {device}")
        cluster[host].sh(f"ip addr add {new}/24 dev {device}")
        if device == "eth0":
            cluster[host].sh("ip route add default via 10.1.15.1 dev eth0")
    return cluster


@lru_cache(maxsize=8)
def ping(source: str) -> Exchange:
    """A ping of 10.1.15.2."""
    return clash().ping(source, "10.1.15.2")


def answers(source: str) -> str:
    """Who has the request in the end."""
    request = ping(source).request
    assert request is not None
    return request.end


def check_near(answer: dict[str, Any], seed: int) -> Findings:
    """Who answers pods on the two nodes."""
    said = tuple(forms.host(answer[f"from_{node}"]) for node in ("node1", "node2"))
    right = (answers("web1"), answers("backend-b"))
    if said == right:
        return ()
    if said == (right[0], right[0]):
        text = (
            "You seem to think that the range's owner gets the packet from everywhere. "
            "On node2 the address is a neighbour on its own bridge."
        )
        return fail(text, "NEAREST", ping("backend-b"))
    return fail("Is 10.1.15.2 a neighbour for this sender? On which bridge?", None, ping("web1"))


def check_far(answer: dict[str, Any], seed: int) -> Findings:
    """Who answers a pod on node3, and by which route."""
    request = ping("backend-c").request
    assert request is not None
    steps = [s for hop in request.hops if hop.netns == "node3" for s in hop.steps]
    deciding = forms.route(str(next(s.by for s in steps if s.stage == "route")))
    said = forms.host(answer["from_node3"]), forms.route(answer["route_node3"])
    if same(said, (request.end, deciding)):
        return ()
    both = all(name in str(said[0]) for name in (request.end, answers("backend-b")))
    if both or said[0] in ("both", answers("backend-b")):
        text = (
            "You seem to think that node3 has a way to both nodes. "
            "One range has one route, so the other pod gets nothing."
        )
        return fail(text, "ROUTES_EVERYWHERE", ping("backend-c"))
    return fail("Print node3's routes. Which of them contains 10.1.15.2?", None, ping("backend-c"))


def check_noticed(answer: dict[str, Any], seed: int) -> Findings:
    """Who reports an error."""
    said = forms.nobody(forms.host(answer["noticed_by"]))
    quiet = all(ping(source).outcome == "delivered" for source in ("web1", "backend-b"))
    if quiet and said == "nobody":
        return ()
    text = (
        "You seem to think that something would notice. "
        "host-local looks at its own node only, and both pods answer somebody."
    )
    return fail(text, "CLASH_NOTICED", ping("backend-b"))


ITEMS = (
    Item("12.sequence.round", 2, "The addresses of c and d", check_round, ("c", "d")),
    Item("12.sequence.wrap", 1, "The addresses of e and f", check_wrap, ("e", "f")),
    Item("12.sequence.full", 1, "What g gets", check_full, ("g",)),
    Item("12.sequence.leaked", 2, "What has leaked", check_leaked, ("leaked",)),
    Item("12.twins.near", 2, "Who answers on node1 and node2", check_near,
         ("from_node1", "from_node2")),
    Item("12.twins.far", 2, "Who answers on node3, by which route", check_far,
         ("from_node3", "route_node3")),
    Item("12.twins.noticed", 1, "Who notices", check_noticed, ("noticed_by",)),
)  # fmt: skip
