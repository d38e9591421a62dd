"""The rubric of 07.publish. The learner's commands are typed on node1 of a generated cluster, and
packets of the model say what they do."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Call, Findings, Item, Reply, fail
from k8snetlib.errors import K8sNetError

Args = tuple[str, int, str, int]
MOST = 40


@lru_cache(maxsize=16)
def cluster(seed: int) -> Cluster:
    """A generated cluster without kube-proxy; node1 forwards everything."""
    spec = generated_spec(seed)
    network = spec.network._replace(backend="host-gw", proxy_mode="none")
    return Cluster(spec._replace(network=network))


@lru_cache(maxsize=16)
def publish_args(seed: int) -> tuple[Args, ...]:
    """An invented address and port, and the pod behind it; twice."""
    dice = random.Random(f"publish {seed}")
    ips = {pod.name: pod.ip for pod in generated_spec(seed).pods}
    return tuple(
        (f"10.96.{dice.randint(1, 250)}.{dice.randint(2, 250)}", dice.randint(20, 7000), ip, 8080)
        for ip in (ips["backend"], ips["backend-c"])
    )


def publish_calls(seed: int) -> tuple[Call, ...]:
    """The same questions for every item."""
    groups = ("pods", "node", "only", "back")
    return tuple(Call(group, args) for group in groups for args in publish_args(seed))


class Played(NamedTuple):
    """What the packets of one answer did."""

    pod: Exchange
    node: Exchange
    port: Exchange
    proto: Exchange
    other: Exchange
    back: Exchange


@lru_cache(maxsize=64)
def play(seed: int, args: Args, lines: tuple[str, ...]) -> Played | str:
    """Types the commands and sends the packets, each from the same start; or the command that
    iptables refuses, and its own message."""
    start = cluster(seed).clone()
    for line in lines:
        try:
            start["node1"].sh(line)
        except K8sNetError as error:
            return f"{line}\n{error}"
    vip, port, pod, pod_port = args
    owner = start.network.names.ips[pod]
    beside = "backend-b"  # it listens on the same port as the pod

    def send(source: str, target: str, at: int | None, proto: str = "tcp") -> Exchange:
        return start.clone().send(source, target, at, proto=proto)

    return Played(
        send("web2", vip, port),
        send("node1", vip, port),
        send("web2", vip, port + 1),
        send("web2", vip, port, "udp"),
        send("web2", beside, port if port != pod_port else port + 1),
        send(owner, "web2", 80),
    )


_BEFORE = re.compile(r"^(?:\w*\$ )?(?:sudo )?(?:/\S*/)?(?=iptables )")


def commands(value: Any) -> tuple[str, ...] | None:
    """The command lines of an answer: a list of texts or of lists of words, or one text with
    several lines."""
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, list):
        return None
    texts = [" ".join(map(str, line)) if isinstance(line, list) else line for line in value]
    if not all(isinstance(text, str) for text in texts):
        return None
    lines = [_BEFORE.sub("", " ".join(text.split())) for text in texts]
    # iptables takes the beginning of an option for the option, as getopt does.
    return tuple(
        line.replace(" --to ", " --to-destination ")
        for line in lines
        if line and not line.startswith("#")
    )[:MOST]


def hits(exchange: Exchange, args: Args) -> bool:
    """True if the request came to the pod's address."""
    if exchange.request is None:
        return False
    ip = exchange.request.last.packet.innermost.ip
    return ip is not None and ip.dst == args[2]


def owner_of(seed: int, name: str) -> str:
    """A pod's address."""
    return next(pod.ip for pod in generated_spec(seed).pods if pod.name == name)


_NOTHING = "So far nobody reaches the pod by the invented address."
_FORM = "The answer must be a list of texts: one iptables command each."
_HARD_CODED = (
    "Your commands are the same for every address and every pod. "
    "The four parameters say what to publish."
)


def refusal(refused: str) -> Findings:
    """Why iptables refused a command."""
    line = refused.splitlines()[0]
    if "port" in line and " -p" not in line and " --protocol" not in line:
        text = (
            "You seem to think that a port needs no protocol. "
            "TCP and UDP have ports of their own: a rule says which."
        )
        return fail(text, "NO_PROTOCOL", refused)
    if "DNAT" in line and " nat " not in line:
        text = (
            "You seem to forget the table. "
            "Without -t, iptables speaks of filter, which translates nothing."
        )
        return fail(text, "NO_TABLE", refused)
    if "DNAT" in line and ("POSTROUTING" in line or "FORWARD" in line):
        text = (
            "You seem to think that DNAT comes after routing. "
            "The kernel refuses it there: the route is chosen by then."
        )
        return fail(text, "DNAT_POST", refused)
    if "DNAT" in line and "INPUT" in line:
        text = (
            "You seem to think that a process sends through INPUT. "
            "INPUT is for what this node itself receives."
        )
        return fail(text, "INPUT_SENDS", refused)
    return fail("iptables refuses one of your commands. Read what it says.", None, refused)


def _played(replies: Sequence[Reply], seed: int) -> list[tuple[Reply, Played]] | Findings:
    """Every answer played; or what is wrong with its form."""
    found, texts = [], []
    for reply in replies:
        lines = commands(reply.value)
        if lines is None:
            return fail(_FORM)
        if any(line.split()[0] != "iptables" for line in lines):
            return fail("Each text must be a command that begins with iptables.")
        played = play(seed, reply.args, lines)
        if isinstance(played, str):
            return refusal(played)
        found.append((reply, played))
        texts.append(lines)
    if texts[0] and len(set(texts)) == 1:
        return fail(_HARD_CODED, "HARD_CODED", "\n".join(texts[0]))
    return found


#: Who connects -> what others think of his way, the hook that they forget, and what is left to say.
_WAYS = {
    "pod": ("OUTPUT_ALL", "PREROUTING", "web2 does not reach the pod by the invented address.",
            "You seem to think that every packet crosses OUTPUT. "
            "A pod's packet arrives from outside, and is forwarded."),
    "node": ("PREROUTING_ALL", "OUTPUT", "A process of node1 does not reach the pod by it.",
             "You seem to think that every packet crosses PREROUTING. "
             "What a process of node1 sends does not."),
}  # fmt: skip


def reaches(who: str) -> Callable[[Sequence[Reply], int], Findings]:
    """The check that ``who`` (a pod of node1, or node1 itself) reaches the address."""
    belief, hook, otherwise, every = _WAYS[who]

    def check(replies: Sequence[Reply], seed: int) -> Findings:
        played = _played(replies, seed)
        if isinstance(played, tuple):
            return played
        for reply, p in played:
            walk, text = getattr(p, who), " ".join(commands(reply.value) or ())
            if hits(walk, reply.args):
                if walk.ok:
                    continue
                kept = (
                    "You seem to think that the port follows from the address. "
                    "The packet arrives at the old port."
                )
                return fail(kept, "PORT_KEPT", walk)
            if hook not in text and (p.pod.ok or p.node.ok):
                return fail(every, belief, walk)
            if re.search(r" (-s|--source|--src|--sport|--source-port) ", text):
                sender = (
                    "You seem to match where the packet comes from. "
                    "A client sends to the invented address and port."
                )
                return fail(sender, "SENDER", walk)
            return fail(otherwise, None, walk)
        return ()

    return check


def check_only(replies: Sequence[Reply], seed: int) -> Findings:
    """Nothing else is translated."""
    played = _played(replies, seed)
    if isinstance(played, tuple):
        return played
    for reply, p in played:
        if not (p.pod.ok or p.node.ok):
            return fail(_NOTHING, None, p.pod)
        if hits(p.port, reply.args):
            text = "You seem to think that an address alone is enough. Another port arrives too."
            return fail(text, "EVERY_PORT", p.port)
        if hits(p.proto, reply.args):
            text = "You seem to translate every protocol. Only TCP was asked for."
            return fail(text, "EVERY_PROTOCOL", p.proto)
        if hits(p.other, reply.args):
            text = (
                "You seem to think that a port alone is enough. "
                "Connections to other pods are led astray."
            )
            return fail(text, "EVERY_DESTINATION", p.other)
    return ()


def check_back(replies: Sequence[Reply], seed: int) -> Findings:
    """The pod's own connections keep their source."""
    played = _played(replies, seed)
    if isinstance(played, tuple):
        return played
    for reply, p in played:
        if not (p.pod.ok or p.node.ok):
            return fail(_NOTHING, None, p.pod)
        vip, _, pod, _ = reply.args
        ip = p.back.request.last.packet.ip if p.back.request else None
        if ip is not None and ip.src == pod:
            continue
        if ip is not None and ip.src == vip:
            text = (
                "You seem to think that replies need their own rule. "
                "Yours changes what the pod itself begins."
            )
            return fail(text, "SNAT_REPLY", p.back)
        if ip is not None and ip.dst == owner_of(seed, "web2"):
            text = (
                "You seem to think that everything must be masqueraded. "
                "Yours also changes what the pod itself begins."
            )
            return fail(text, "MASQ_ALL", p.back)
        return fail("A connection that the pod itself begins does not arrive as before.", None,
                    p.back)  # fmt: skip
    return ()


CALLS = {"07.publish": publish_calls}

ITEMS = (
    Item("07.publish.pods", 3, "Pods of node1 reach it", reaches("pod")),
    Item("07.publish.node", 3, "node1 itself reaches it", reaches("node")),
    Item("07.publish.only", 2, "Nothing else is translated", check_only),
    Item("07.publish.back", 2, "The pod's own connections", check_back),
)
