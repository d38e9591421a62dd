"""The rubric of 08.chains. The learner's rules are loaded into node1 of a generated
cluster without kube-proxy; kube-proxy's own rules, in the same cluster, say what packets should do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange, K8sNetError
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Call, Findings, Item, Reply, fail, wrong_type
from k8snetlib.fates import Fate
from k8snetlib.kube.api import ClusterSpec, Container, Listen, Service, ServicePort, slice_of

VIP, OTHER, ROUNDING = "10.96.7.7", "10.96.7.8", Fraction(1, 200)
BACKENDS = ("backend", "backend-b", "backend-c")
LINES, DRAWS, SIZE = 80, 10, 20_000

BASE = """*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
"""


class Case(NamedTuple):
    """One Service: its cluster's seed, its port, the endpoints' names and their port."""

    seed: int
    port: int
    behind: tuple[str, ...]
    target: int

    def spec(self) -> ClusterSpec:
        """The cluster, with this Service in it and the endpoints listening."""
        spec = generated_spec(self.seed)
        listens = (Listen("tcp", self.target),)
        pods = tuple(
            p._replace(containers=(Container("c", listens),)) if p.name in BACKENDS else p
            for p in spec.pods
        )
        service = Service("shop", VIP, (ServicePort("", "tcp", self.port, self.target),))
        # flannel would masquerade the client as well, and hide what the rules do.
        network = spec.network._replace(backend="host-gw", flanneld="--ip-masq=false")
        behind = slice_of(service, [p for p in pods if p.name in self.behind])
        return spec._replace(network=network, pods=pods, services=(service,), slices=(behind,))

    def args(self) -> tuple[Any, ...]:
        """What the learner's function is called with."""
        spec = self.spec()
        ips = {pod.name: pod.ip for pod in spec.pods}
        ends = [f"{ips[name]}:{self.target}" for name in self.behind]
        return (VIP, self.port, ends, str(spec.network.pod_network))


@lru_cache(maxsize=32)
def cases(seed: int) -> tuple[Case, ...]:
    """Three Services: with three endpoints, with two, with one."""
    dice = random.Random(f"chains {seed}")
    one, two, three = dice.sample(range(7001, 7999), 3)
    pair = tuple(dice.sample(BACKENDS, 2))
    return (
        Case(seed, 80, BACKENDS, one),
        Case(seed, dice.randint(81, 999), pair, two),
        Case(seed, 443, ("backend-c",), three),
    )


def chains_calls(seed: int) -> tuple[Call, ...]:
    """Every group has all Services."""
    groups = ("share", "target", "only", "client", "hairpin")
    return tuple(Call(group, case.args()) for group in groups for case in cases(seed))


# -- the rules, in a kernel -----------------------------------------------------------------------


@lru_cache(maxsize=64)
def ready(case: Case, mode: str) -> Cluster:
    """The cluster, and a client that has a route to the Service through node1."""
    spec = case.spec()
    cluster = Cluster(spec._replace(network=spec.network._replace(proxy_mode=mode)))
    cluster["client"].sh(f"ip route add 10.96.0.0/16 via {spec.nodes[0].ip}")
    return cluster


@lru_cache(maxsize=128)
def loaded(case: Case, lines: str | None) -> Cluster:
    """A copy with the learner's lines on every node; None: with kube-proxy's own rules."""
    cluster = ready(case, "iptables" if lines is None else "none").clone()
    if lines is not None:
        for node in cluster.nodes:
            cluster[node].sh("iptables-restore --noflush", stdin=f"{BASE}{lines}COMMIT\n")
    return cluster


def written(value: Any) -> str:
    """The learner's rules as iptables-restore reads them: chains first, one rule a line."""
    if isinstance(value, list):
        value = "\n".join(value)
    rules, named = [], []
    for line in value.splitlines():
        text = re.sub(r"^\s*(\w*\$ )?(sudo\s+)?((/\S*/)?iptables\s+)?", "", line)
        text = re.sub(r"(^|\s)(-w|--wait|(-t|--table)\s+nat)(?=\s)", "", text).strip()
        text = re.sub(r"^--(append|new-chain)\b", lambda m: f"-{m[1][0].upper()}", text)
        text = re.sub(r"--to(?=\s)", "--to-destination", text).replace("--jump ", "-j ")
        if not text or text.startswith(("#", "*nat", "COMMIT")):
            continue
        if text.startswith(("-N ", ":")):
            named.append(text.lstrip("-N: ").split()[0])
            continue
        rules.append(text)
        named += re.findall(r"(?:^-A|\s-[jg])\s+(\S+)", text)
    own = [n for n in dict.fromkeys(named) if n not in _THERE]
    return "".join(f":{name} - [0:0]\n" for name in own) + "".join(f"{r}\n" for r in rules)


_THERE = {
    "KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "PREROUTING", "INPUT", "OUTPUT",
    "POSTROUTING", "ACCEPT", "DROP", "RETURN", "MARK", "DNAT", "SNAT", "MASQUERADE", "REJECT",
    "REDIRECT",
}  # fmt: skip


#: A change of the source in a chain of the way in, where no kernel takes it.
_EARLY = re.compile(r"(?m)^-[AI] (?!\S*POSTROUTING).*\s-[jg] (MASQUERADE|SNAT)\b")
_MASQ_EARLY = (
    "You seem to change the source while the destination is chosen. "
    "Before routing nobody knows the address to put in: a packet can only be marked."
)


_HARD_CODED = (
    "Your rules are the same for every Service. "
    "The parameters say which address, which endpoints and which pods."
)
_NO_PROTOCOL = (
    "You seem to think that a port needs no protocol. "
    "TCP and UDP have ports of their own: a rule says which."
)


def read(replies: Sequence[Reply], seed: int) -> tuple[Findings, list[tuple[Case, str]]]:
    """Each Service with the learner's rules for it; or a finding if iptables cannot read them."""
    bad = wrong_type(replies, (list, str), "a list of rules, one text each")
    seen, texts = [], []
    for reply in replies if not bad else ():
        value = reply.value
        if isinstance(value, list):
            value = [" ".join(map(str, r)) if isinstance(r, list) else r for r in value]
            if not all(isinstance(r, str) for r in value):
                return fail("Each rule must be a text, as iptables -S prints it."), []
        texts.append(written(value))
    if any(texts) and len(set(texts)) == 1:
        return fail(_HARD_CODED, "HARD_CODED", texts[0]), []
    for reply, text in zip(replies, texts, strict=False):
        case = by_args(seed)[reply.args[1]]
        if text.count("\n") > LINES or text.count("--probability") > DRAWS or len(text) > SIZE:
            return fail("These are far more rules than one Service needs."), []
        if _EARLY.search(text):
            return fail(_MASQ_EARLY, "MASQ_EARLY"), []
        try:
            loaded(case, text)
        except K8sNetError as error:
            if "Need TCP" in str(error) or "'--dport'" in str(error):
                return fail(_NO_PROTOCOL, "NO_PROTOCOL", str(error)), []
            return fail(
                "iptables refuses one of your rules. Its words are below.", None, str(error)
            ), []
        if shares(case, text).keys() <= {""}:
            lost = fates(case, text, "web2", case.port)[0].exchange
            return fail("No connection of web2 reaches an endpoint.", None, lost), []
        seen.append((case, text))
    return bad, seen


@lru_cache(maxsize=32)
def by_args(seed: int) -> dict[int, Case]:
    """The Services by their ports."""
    return {case.port: case for case in cases(seed)}


@lru_cache(maxsize=1024)
def fates(case: Case, lines: str | None, source: str, port: int, ip: str = VIP) -> tuple[Fate, ...]:
    """All that can become of a connection."""
    return loaded(case, lines).outcomes(source, ip, port)


# -- what the packets did -------------------------------------------------------------------------

Rules = str | None


def shares(case: Case, lines: Rules, source: str = "web2") -> dict[str, Fraction]:
    """Endpoint address -> its share of the new connections; "" is: to no endpoint."""
    found: dict[str, Fraction] = {}
    for fate in fates(case, lines, source, case.port):
        ip = fate.dst.partition(":")[0]
        key = "" if ip == VIP else ip
        found[key] = found.get(key, Fraction(0)) + fate.probability
    return found


def alike(left: dict[str, Fraction], right: dict[str, Fraction]) -> bool:
    """True if two sets of shares are the same, but for rounding."""
    return all(
        abs(left.get(key, Fraction(0)) - right.get(key, Fraction(0))) < ROUNDING
        for key in left.keys() | right.keys()
    )


def _ips(case: Case) -> list[str]:
    return [end.partition(":")[0] for end in case.args()[2]]


def wrong_1n(case: Case, last: bool) -> dict[str, Fraction]:
    """Shares if every rule (``last``: but the last one) has probability 1/n."""
    ips, left, found = _ips(case), Fraction(1), {}
    for at, ip in enumerate(ips):
        chance = Fraction(1) if last and at == len(ips) - 1 else Fraction(1, len(ips))
        found[ip] = left * chance
        left -= left * chance
    return found | {"": left}


_1N = (
    "You seem to give every rule the chance 1/n. "
    "But a later rule sees only what the earlier ones left."
)
_RR = (
    "You seem to think that iptables mode takes turns. "
    "kube-proxy's rules draw, and remember nothing."
)


def check_share(replies: Sequence[Reply], seed: int) -> Findings:
    """Which endpoint gets which share."""
    bad, seen = read(replies, seed)
    wrong = [
        (case, lines) for case, lines in seen if not alike(shares(case, lines), shares(case, None))
    ]
    if not wrong:
        for case, lines in seen:
            if shares(case, lines, "node1").keys() <= {""}:
                text = (
                    "You seem to think that every packet crosses PREROUTING. "
                    "What a node's own process sends does not."
                )
                lost = fates(case, lines, "node1", case.port)[0].exchange
                return fail(text, "PREROUTING_ALL", lost)
        return bad
    told = "\n".join(_share_line(case, lines) for case, lines in wrong[:1])
    for last in (False, True):
        if all(alike(shares(case, lines), wrong_1n(case, last)) for case, lines in seen):
            return fail(_1N, "PROB_1N", told)
    if any("--mode nth" in lines for _, lines in wrong):
        return fail(_RR, "RR", told)
    if all(alike(shares(c, lines), {_ips(c)[0]: Fraction(1)}) for c, lines in seen):
        text = (
            "You seem to think that rules in a row share the work by themselves. "
            "A rule without a condition takes everything."
        )
        return fail(text, "ROW_SHARES", told)
    return fail("The endpoints do not get the shares that kube-proxy gives them.", None, told)


def _share_line(case: Case, lines: str) -> str:
    names = {pod.ip: pod.name for pod in case.spec().pods} | {"": "no endpoint"}
    rows = [
        f"{names.get(ip, ip):14}{float(share):8.1%}" for ip, share in shares(case, lines).items()
    ]
    return "New connections of web2, by your rules:\n" + "\n".join(rows)


def check_target(replies: Sequence[Reply], seed: int) -> Findings:
    """To which port of an endpoint."""
    bad, seen = read(replies, seed)
    for case, lines in seen:
        for fate in fates(case, lines, "web2", case.port):
            ip, _, port = fate.dst.partition(":")
            if ip == VIP or port == str(case.target):
                continue
            if port == str(case.port):
                text = (
                    "You seem to think that the port stays as it is. "
                    "An endpoint may listen on another port than its Service."
                )
                return fail(text, "SAME_PORT", fate.exchange)
            return fail(
                "The packet goes to a port that is not the endpoint's.", None, fate.exchange
            )
    return bad


@lru_cache(maxsize=128)
def strays(case: Case, lines: Rules) -> dict[str, Exchange]:
    """Packets that are none of the Service's business; each as it fared."""
    cluster = loaded(case, lines)
    udp = cluster.clone().send("web2", VIP, case.port)
    return {
        "address": cluster.clone().connect("web2", OTHER, case.port),
        "ping": cluster.clone().ping("web2", VIP),
        "port": cluster.clone().connect("web2", VIP, case.port + 1),
        "udp": udp,
    }


_STRAYS = {
    "address": ("EVERY_ADDRESS", "You seem to take every address for the Service's. "
                "A packet to another Service meets your rules too."),
    "ping": ("PING_VIP", "You seem to think that a Service's address answers pings. "
             "kube-proxy's rules are about one protocol and one port."),
    "port": ("EVERY_PORT", "You seem to think that a Service takes all ports. "
             "Only its own port is served."),
    "udp": ("EVERY_PROTOCOL", "You seem to leave the protocol open. A TCP port says nothing "
            "about UDP."),
}  # fmt: skip


def check_only(replies: Sequence[Reply], seed: int) -> Findings:
    """What the rules leave alone."""
    bad, seen = read(replies, seed)
    for case, lines in seen:
        right = strays(case, None)
        for what, exchange in strays(case, lines).items():
            if _dst(exchange) != _dst(right[what]):
                belief, text = _STRAYS[what]
                return fail(text, belief, exchange)
    return bad


def _dst(exchange: Exchange) -> str:
    assert exchange.request is not None
    return exchange.request.last.packet.innermost.ip.dst


def sources(case: Case, lines: Rules, source: str) -> tuple[set[str], Exchange | None]:
    """The source addresses that endpoints other than the sender see, and one such exchange."""
    seen, one = set(), None
    own = ready(case, "none").address_of(source)
    for fate in fates(case, lines, source, case.port):
        ip = fate.dst.partition(":")[0]
        if ip not in (VIP, own):
            seen.add(fate.src)
            one = fate.exchange
    return seen, one


def marked_first(lines: str) -> str:
    """The same rules, those that mark in front of all others."""
    return "".join(
        sorted(
            lines.splitlines(keepends=True),
            key=lambda line: (not line.startswith(":"), "KUBE-MARK-MASQ" not in line),
        )
    )


_LATE = (
    "You seem to think that the order does not matter. "
    "A packet that a DNAT has taken meets no later rule."
)
_RANGE = "Your rules compare with a range that is not this cluster's. The parameter pods gives it."


def check_client(replies: Sequence[Reply], seed: int) -> Findings:
    """Whose source address is changed."""
    bad, seen = read(replies, seed)
    for case, lines in seen:
        for source in ("client", "web2", *case.behind):
            (said, exchange), (right, _) = sources(case, lines, source), sources(case, None, source)
            if said == right or (not said and source in case.behind):
                continue
            if not said:
                return fail("A client outside reaches no endpoint.", None, exchange)
            if source == "client":
                if sources(case, marked_first(lines), source)[0] == right:
                    return fail(_LATE, "ORDER_IGNORED", exchange)
                text = (
                    "You seem to think that an answer finds its way back in any case. "
                    "The endpoint answered the client past node1."
                )
                return fail(text, "ASYM", exchange)
            if source == "web2":
                if "! -s" in lines and case.args()[3] not in lines:
                    return fail(_RANGE, "HARD_CODED", exchange)
                text = (
                    "You seem to think that a Service hides all clients. "
                    "Pods must be seen with their own address."
                )
                return fail(text, "ALL_MASQ", exchange)
            text = (
                "You seem to mark an endpoint wherever it is led. "
                "It needs another source only on the way to itself."
            )
            return fail(text, "MARK_EVERYWHERE", exchange)
    return bad


def to_itself(case: Case, lines: Rules, name: str) -> list[tuple[bool, Exchange]]:
    """Is another source put in when ``name`` is led to itself; and that exchange."""
    own = ready(case, "none").address_of(name)
    found = fates(case, lines, name, case.port)
    return [(f.src != own, f.exchange) for f in found if f.dst.startswith(f"{own}:")]


def check_hairpin(replies: Sequence[Reply], seed: int) -> Findings:
    """An endpoint that is led to itself."""
    bad, seen = read(replies, seed)
    for case, lines in seen:
        for name in case.behind:
            for changed, exchange in to_itself(case, lines, name):
                if not changed:
                    early = to_itself(case, marked_first(lines), name)
                    if early and all(moved for moved, _ in early):
                        return fail(_LATE, "ORDER_IGNORED", exchange)
                    text = (
                        "You seem to think that a pod reaches itself like any other. "
                        "Without another source address it would answer itself directly."
                    )
                    return fail(text, "HAIRPIN", exchange)
    return bad


CALLS = {"08.chains": chains_calls}

ITEMS = (
    Item("08.chains.share", 3, "Which endpoint gets which share", check_share),
    Item("08.chains.target", 1, "The endpoint's own port", check_target),
    Item("08.chains.only", 2, "What the rules leave alone", check_only),
    Item("08.chains.client", 2, "Whose source is changed", check_client),
    Item("08.chains.hairpin", 2, "A pod that is led to itself", check_hairpin),
)
