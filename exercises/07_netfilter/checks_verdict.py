"""The rubric of 07.verdict. The chains are written into node1 of a generated cluster, and a packet
of the model says what they do with it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import Belief, Call, Findings, Item, Reply, compare, wrong_type

Rule = Mapping[str, Any]
Chains = Mapping[str, Sequence[Rule]]
Packet = Mapping[str, Any]


@lru_cache(maxsize=16)
def cluster(seed: int) -> Cluster:
    """A generated cluster whose FORWARD chains are empty."""
    spec = generated_spec(seed)
    network = spec.network._replace(
        backend="host-gw", proxy_mode="none", flanneld="--iptables-forward-rules=false"
    )
    return Cluster(spec._replace(network=network))


def packets(seed: int) -> list[dict[str, Any]]:
    """Packets from node1's pods to pods of other nodes."""
    ips = {pod.name: pod.ip for pod in generated_spec(seed).pods}
    ways = (("web2", "backend", "tcp", 8080), ("web1", "backend-c", "udp", 53),
            ("web1", "backend", "tcp", 8080))  # fmt: skip
    return [
        {"src": ips[source], "dst": ips[target], "proto": proto, "dport": port}
        for source, target, proto, port in ways
    ]


def rule(target: str, **match: Any) -> dict[str, Any]:
    """A rule as the learner sees it."""
    return {**match, "target": target}


@lru_cache(maxsize=16)
def verdict_calls(seed: int) -> tuple[Call, ...]:
    """Chains of a kind for each group. Where a group is about one thing, all else is plain."""
    dice = random.Random(f"verdict {seed}")
    tcp, udp, other = packets(seed)
    far = f"10.{dice.randint(100, 250)}.0.0/16"
    net = str(Prefix.parse(f"{tcp['src']}/16", host_bits=True))
    host = f"{tcp['dst']}/32"
    name = dice.choice(("GUARD", "TEAM-A", "LIMITS", "AUDIT"))
    calls: list[tuple[str, Chains, str, Packet]] = []

    def call(group: str, packet: Packet, policy: str, forward: list[Rule], **chains: Any) -> None:
        calls.append((group, {"FORWARD": forward, **chains}, policy, packet))

    for policy in ("ACCEPT", "DROP"):
        call("first", tcp, policy, [rule("DROP", src=far), rule("ACCEPT", proto="tcp"),
                                    rule("DROP", proto="tcp", dport=8080)])  # fmt: skip
        refused = rule("DROP", proto="udp", dport=53)
        call("first", udp, policy, [refused, rule("ACCEPT", proto="udp"),
                                    rule("ACCEPT", proto="udp", dport=53)])  # fmt: skip
    call("all", tcp, "DROP", [rule("DROP", src=net, proto="udp"),
                              rule("ACCEPT", dst=host, proto="tcp", dport=8080)])  # fmt: skip
    neither = [rule("DROP", src=net, proto="tcp", dport=8080),
               rule("DROP", dst=far, proto="udp", dport=53)]  # fmt: skip
    call("all", udp, "DROP", [*neither, rule("ACCEPT")])
    call("all", other, "DROP", [rule("DROP", proto="tcp", dport=80, src=net), rule("ACCEPT")])
    one_of_two = [rule("DROP", src=net, dst=far), rule("DROP", src=far, dst=host)]
    call("all", tcp, "DROP", [*one_of_two, rule("ACCEPT", **tcp | {"src": net, "dst": host})])
    for length in (12, 18):  # networks that end inside an octet, and their neighbours
        wide = Prefix.parse(f"{tcp['dst']}/{length}", host_bits=True)
        beside = Prefix(wide.net ^ 1 << 32 - length, length)
        call("all", tcp, "DROP", [rule("ACCEPT", dst=str(wide), proto="tcp")])
        call("all", tcp, "DROP", [rule("DROP", dst=str(beside)), rule("ACCEPT")])
    for policy in ("ACCEPT", "DROP"):
        call("policy", tcp, policy, [rule("DROP", src=far), rule("ACCEPT", dst=far)])
        call("policy", udp, policy, [])
    for policy, end in (("ACCEPT", "DROP"), ("DROP", "ACCEPT")):
        call("jump", tcp, policy, [rule(name, proto="tcp"), rule(end, proto="tcp", dport=8080)],
             **{name: [rule(policy, dst=far), rule(policy, proto="udp")]})  # fmt: skip
    call("jump", tcp, "DROP", [rule(name), rule("ACCEPT", proto="tcp"), rule("DROP")],
         **{name: [rule("DROP", dst=far)]})  # fmt: skip
    call("jump", udp, "DROP", [rule(name), rule("DROP")],
         **{name: [rule("DEEPER", proto="udp")],
            "DEEPER": [rule("ACCEPT", proto="udp", dport=53)]})  # fmt: skip
    for policy, end in (("ACCEPT", "DROP"), ("DROP", "ACCEPT")):
        call("return", tcp, policy, [rule(name), rule(end)],
             **{name: [rule("RETURN", proto="tcp", dport=8080), rule(policy)]})  # fmt: skip
    call("return", udp, "DROP", [rule(name), rule("DROP", proto="udp")],
         **{name: [rule("RETURN", proto="udp"), rule("ACCEPT")]})  # fmt: skip
    call("return", udp, "DROP", [rule(name), rule("ACCEPT")],
         **{name: [rule("RETURN", proto="udp", dport=53), rule("ACCEPT")]})  # fmt: skip
    call("return", tcp, "DROP", [rule(name)],
         **{name: [rule("RETURN", proto="udp"), rule("ACCEPT")]})  # fmt: skip
    dice.shuffle(calls)
    return tuple(Call(group, tuple(args)) for group, *args in calls)


def commands(chains: Chains, policy: str) -> list[str]:
    """The same as iptables' own commands."""
    options = {"src": "-s", "dst": "-d", "proto": "-p", "dport": "--dport"}
    new = [f"iptables -N {chain}" for chain in chains if chain != "FORWARD"]
    lines = [
        f"iptables -A {chain} "
        + " ".join(f"{options[key]} {one[key]}" for key in options if key in one)
        + f" -j {one['target']}"
        for chain, rules in chains.items()
        for one in rules
    ]
    return [*new, *lines, f"iptables -P FORWARD {policy}"]


_WALKS: dict[str, Exchange] = {}


def walk(seed: int, chains: Chains, policy: str, packet: Packet) -> Exchange:
    """The packet under these chains."""
    key = repr((seed, chains, policy, packet))
    if key not in _WALKS:
        copy = cluster(seed).clone()
        for command in commands(chains, policy):
            copy["node1"].sh(command)
        if len(_WALKS) > 200:
            _WALKS.clear()
        _WALKS[key] = copy.send(
            packet["src"], packet["dst"], packet["dport"], proto=packet["proto"]
        )
    return _WALKS[key]


def truth(seed: int, chains: Chains, policy: str, packet: Packet) -> str:
    """DROP if node1's FORWARD threw the packet away."""
    request = walk(seed, chains, policy, packet).request
    assert request is not None
    steps = [s for hop in request.hops if hop.netns == "node1" for s in hop.steps]
    stopped = any(s.stage == "filter FORWARD" and s.verdict == "drop" for s in steps)
    return "DROP" if stopped else "ACCEPT"


# -- what other beliefs predict -------------------------------------------------------------------


def inside(address: str, network: str) -> bool:
    """Whether an address is in a network."""
    return address in Prefix.parse(network)


def begins(address: str, network: str) -> bool:
    """As if an address were in a network when its text begins alike."""
    text = network.partition("/")[0]
    while text.endswith(".0"):
        text = text[:-2]
    return address.startswith(text)


def octets(at: Callable[[int], int]) -> Callable[[str, str], bool]:
    """As if only whole octets counted; ``at`` says how many for a length."""

    def within(address: str, network: str) -> bool:
        base, _, length = network.partition("/")
        return address.split(".")[: at(int(length))] == base.split(".")[: at(int(length))]

    return within


Parts = list[bool]


def every(ends: Parts, rest: Parts) -> bool:
    """All parts of a rule must match."""
    return all(ends + rest)


def some(ends: Parts, rest: Parts) -> bool:
    """As if one part were enough."""
    return any(ends + rest) or not ends + rest


def one_end(ends: Parts, rest: Parts) -> bool:
    """As if one of two addresses were enough."""
    return (any(ends) or not ends) and all(rest)


def complete(ends: Parts, rest: Parts) -> bool:
    """As if a rule had to name all four parts."""
    return all(ends + rest) and len(ends + rest) == 4


def matches(
    one: Rule, packet: Packet, how: Callable[[Parts, Parts], bool] = every,
    within: Callable[[str, str], bool] = inside,
) -> bool:  # fmt: skip
    """Whether a rule matches; ``how`` joins its addresses and its other parts."""
    ends = [within(packet[key], one[key]) for key in ("src", "dst") if key in one]
    return how(ends, [packet[key] == one[key] for key in ("proto", "dport") if key in one])


def read_as(
    *,
    how: Callable[[Parts, Parts], bool] = every,
    returns: str = "back",
    ends: str = "back",
    last: bool = False,
    policy: str = "",
    without: str = "",
    within: Callable[[str, str], bool] = inside,
) -> Callable[..., str]:
    """What somebody predicts who reads chains otherwise.

    ``returns`` and ``ends`` say what RETURN and the end of a chain mean: back (to the caller),
    policy, or a verdict; "skip": the rule does nothing. ``policy`` replaces the policy, and
    ``without`` names a part of rules that is not looked at.
    """

    def run(chains: Chains, chain: str, packet: Packet, real: str) -> str | None:
        rules = chains[chain][::-1] if last else chains[chain]
        for one in rules:
            seen = {key: value for key, value in one.items() if key != without}
            if not matches(seen, packet, how, within):
                continue
            target = one["target"]
            if target in ("ACCEPT", "DROP"):
                return str(target)
            if target == "RETURN":
                if returns == "skip":
                    continue
                return {"back": None, "policy": real}.get(returns, returns)
            if ends == "skip":
                continue
            found = run(chains, target, packet, real)
            if found is not None:
                return found
            if ends != "back":
                return real if ends == "policy" else ends
        return None

    def predict(chains: Chains, real: str, packet: Packet) -> str:
        wanted = policy or real
        return run(chains, "FORWARD", packet, wanted) or wanted

    return predict


def drop_wins(chains: Chains, policy: str, packet: Packet) -> str:
    """As if the strictest of all matching rules decided."""
    found = {one["target"] for rules in chains.values() for one in rules if matches(one, packet)}
    return next((verdict for verdict in ("DROP", "ACCEPT") if verdict in found), policy)


_CHAIN_ENDS = (
    "You seem to think that a chain without a verdict ends the matter. "
    "It goes back to the rule after the jump."
)
_ANY = "You seem to think that one part of a rule is enough. All its parts must match."
_EXACT = "You seem to ask whether an address equals a network. A network holds many addresses."
_OCTETS = "You seem to compare whole octets. A network may end inside an octet."
_PART = "You seem to pass over one part of a rule. All its parts must match."
BELIEFS = (
    Belief(
        "LAST_MATCH",
        "You seem to think that the last matching rule decides. The first one ends the chain.",
        read_as(last=True),
    ),
    Belief(
        "DROP_WINS",
        "You seem to think that a DROP wins wherever it stands. The first matching rule decides.",
        drop_wins,
    ),
    Belief("ANY_PART", _ANY, read_as(how=some)),
    Belief("ANY_PART", _ANY, read_as(how=one_end)),
    Belief(
        "RETURN_ACCEPTS",
        "You seem to think that RETURN lets the packet pass. It only leaves this chain.",
        read_as(returns="ACCEPT"),
    ),
    Belief(
        "RETURN_ACCEPTS",
        "You seem to think that RETURN leads to the policy at once. It only leaves this chain.",
        read_as(returns="policy"),
    ),
    Belief(
        "RETURN_DROPS",
        "You seem to think that RETURN throws the packet away. It only leaves this chain.",
        read_as(returns="DROP"),
    ),
    Belief(
        "RETURN_SKIPPED",
        "You seem to pass over RETURN. The rest of its chain is not looked at any more.",
        read_as(returns="skip"),
    ),
    *(Belief("CHAIN_ENDS", _CHAIN_ENDS, read_as(ends=end)) for end in ("policy", "DROP", "ACCEPT")),
    Belief(
        "ALWAYS_ACCEPT",
        "You seem to think that a packet passes if no rule decides. The chain has a policy.",
        read_as(policy="ACCEPT"),
    ),
    Belief(
        "ALWAYS_DROP",
        "You seem to think that a packet is dropped if no rule decides. The chain has a policy.",
        read_as(policy="DROP"),
    ),
    Belief(
        "CHAIN_IGNORED",
        "You seem to pass over rules whose target is a chain. The packet goes through that chain.",
        read_as(ends="skip"),
    ),
    Belief(
        "STRING_PREFIX",
        "You seem to compare addresses as text. A network is a number of bits.",
        read_as(within=begins),
    ),
    *(
        Belief("EXACT", _EXACT, read_as(within=within))
        for within in (str.__eq__, lambda address, network: address == network.partition("/")[0])
    ),
    *(
        Belief("OCTETS", _OCTETS, read_as(within=octets(at)))
        for at in (lambda length: length // 8, lambda length: 2)
    ),
    *(
        Belief("PART_IGNORED", _PART, read_as(without=key))
        for key in ("src", "dst", "proto", "dport")
    ),
    Belief(
        "PART_MISSING",
        "You seem to think that a rule must name every part. "
        "What it does not name may be anything.",
        read_as(how=complete),
    ),
)


def check_verdict(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of chains."""
    said = [r._replace(value=r.value.strip().upper() if isinstance(r.value, str) else r.value)
            for r in replies]  # fmt: skip
    return wrong_type(said, (str,), "the text ACCEPT or DROP") or compare(
        said,
        lambda *args: truth(seed, *args),
        BELIEFS,
        "For some chain, node1 decides otherwise. Go through its rules on paper.",
        witness=lambda reply: witness(reply, seed),
    )


def witness(reply: Reply, seed: int) -> Exchange:
    """The packet whose fate the answer has wrong."""
    return walk(seed, *reply.args)


CALLS = {"07.verdict": verdict_calls}

ITEMS = (
    Item("07.verdict.first", 3, "Which rule decides", check_verdict),
    Item("07.verdict.all", 2, "When a rule matches", check_verdict),
    Item("07.verdict.policy", 2, "No rule decides", check_verdict),
    Item("07.verdict.jump", 3, "A chain calls another", check_verdict),
    Item("07.verdict.return", 2, "RETURN", check_verdict),
)
