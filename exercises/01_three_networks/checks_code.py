"""The rubrics of 01.classify and 01.plan. Networks come from generated clusters and from chance;
the model's own prefixes say what lies where."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from k8snetlib.address import Prefix
from k8snetlib.course.generate import generated_spec
from k8snetlib.course.rubric import (
    Belief,
    Call,
    Findings,
    Item,
    Reply,
    compare,
    fail,
    wrong_type,
)
from k8snetlib.errors import BadAddress

Networks = Mapping[str, str]

# -- 01.classify ----------------------------------------------------------------------------------


def classify_calls(seed: int) -> tuple[Call, ...]:
    """Addresses of a generated cluster; of networks that end inside an octet; of no network."""
    dice = random.Random(f"classify {seed}")
    spec = generated_spec(seed)
    net = spec.network
    prefixes = {"node": net.node_network, "pod": net.pod_network, "service": net.service_network}
    networks = {name: str(prefix) for name, prefix in prefixes.items()}
    backwards = dict(reversed(networks.items()))
    own = [spec.nodes[0].ip, spec.pods[0].ip, net.service_network.host(dice.randint(10, 250))]
    ends = [ip for p in prefixes.values() for ip in (p.network, p.broadcast)]
    calls = [Call("cluster", (ip, networks)) for ip in (*own, *ends)]
    calls += [Call("cluster", (ip, backwards)) for ip in own]
    odd, inside = odd_networks(dice)
    calls += [Call("bits", (ip, odd)) for ip in inside]
    last = dice.randint(2, 250)
    # A stranger's text may not begin like the pod network's, or two beliefs would look alike.
    pods = str(net.pod_network).split(".")[1]
    second = next(n for n in (200, 130) if not str(n).startswith(pods))
    strangers = (f"203.0.113.{last}", f"127.0.0.{last}", f"11.1.{last}.2", f"193.168.0.{last}")
    calls += [Call("outside", (ip, networks)) for ip in (*strangers, f"10.{second}.{last}.2")]
    dice.shuffle(calls)  # a list of answers, learnt by heart, fits one seed only
    return tuple(calls)


def odd_networks(dice: random.Random) -> tuple[dict[str, str], list[str]]:
    """Three networks whose prefixes end inside an octet; and addresses in them."""
    a, b, c = 16 * dice.randint(4, 7), 16 * dice.randint(1, 6), dice.randint(2, 250)
    odd = {"pod": f"10.{a}.0.0/12", "service": f"10.{a + 16}.0.0/13", "node": f"172.20.{b}.0/20"}
    inside = [
        f"10.{a + 5}.{c}.2",
        f"10.{a}.{c}.9",
        f"10.{a + 16 + 3}.{c}.2",
        f"10.{a + 16}.{c}.7",
        f"172.20.{b + 7}.{c}",
        f"172.20.{b}.{c}",
    ]
    return odd, inside


def right_network(ip: str, networks: Networks) -> str | None:
    """What the model's prefixes say."""
    return _first(networks, lambda prefix: ip in Prefix.parse(prefix))


def _first(networks: Networks, fits: Callable[[str], bool]) -> str | None:
    return next((name for name, prefix in networks.items() if fits(prefix)), None)


def by_octets(ip: str, networks: Networks, always: int = 0) -> str | None:
    """As if only whole octets counted: those of the prefix, or ``always`` so many."""

    def fits(prefix: str) -> bool:
        network, length = prefix.split("/")
        whole = always or int(length) // 8
        return network.split(".")[:whole] == ip.split(".")[:whole]

    return _first(networks, fits)


def by_text(ip: str, networks: Networks) -> str | None:
    """As if an address were in a network when its text begins alike."""

    def fits(prefix: str) -> bool:
        network = prefix.partition("/")[0]
        while network.endswith(".0"):
            network = network[:-2]
        return ip.startswith(network)

    return _first(networks, fits)


def hosts_only(ip: str, networks: Networks) -> str | None:
    """As if the first and the last address of a network were in none."""

    def fits(prefix: str) -> bool:
        network = Prefix.parse(prefix)
        return ip in network and ip not in (network.network, network.broadcast)

    return _first(networks, fits)


PRINTED = {"node": "192.168.66.0/24", "pod": "10.1.0.0/16", "service": "10.96.0.0/16"}
HABIT = {"service": "10.96.0.0/12", "pod": "10.0.0.0/8", "node": "192.168.0.0/16"}

_ALWAYS = (
    "You seem to think that every address is in one of the three networks. "
    "The internet and the loopback device have addresses, too."
)
_HABIT = (
    "You seem to know the networks by their first number. "
    "Which addresses a network has is a matter of this cluster alone."
)


def _always(name: str) -> Belief:
    return Belief("ALWAYS_ONE", _ALWAYS, lambda ip, nets: right_network(ip, nets) or name)


CLASSIFY_BELIEFS = (
    Belief(
        "HOSTS_ONLY",
        "You seem to leave out the first and the last address of a network. "
        "They belong to it: flannel0 has the first of its range.",
        hosts_only,
    ),
    *(
        Belief(
            "OCTETS",
            "You seem to compare whole octets only. A prefix may end inside an octet.",
            lambda ip, nets, always=always: by_octets(ip, nets, always),
        )
        for always in (0, 2, 3)
    ),
    Belief(
        "FIRST_ONLY",
        "You seem to give up after the first network. The others may still hold the address.",
        lambda ip, nets: right_network(ip, dict(list(nets.items())[:1])),
    ),
    Belief(
        "STRING_PREFIX",
        "You seem to compare addresses as text. A network is a number of bits.",
        by_text,
    ),
    *(_always(name) for name in ("node", "pod", "service")),
    Belief(
        "PRINTED",
        "You seem to use the networks of the example cluster. Use those that you are given.",
        lambda ip, _: right_network(ip, PRINTED),
    ),
    Belief("TEN_IS_POD", _HABIT, lambda ip, _: right_network(ip, HABIT)),
    Belief(
        "TEN_IS_POD", _HABIT,
        lambda ip, nets: "pod" if right_network(ip, nets) is None and ip.startswith("10.")
        else right_network(ip, nets),
    ),
)  # fmt: skip


def check_classify(replies: Sequence[Reply], seed: int) -> Findings:
    """One group of addresses."""
    wanted = "'node', 'pod', 'service' or None"
    for reply in replies:
        if isinstance(reply.value, str) and reply.value.strip().lower() not in reply.args[1]:
            return fail(f"The answer must be {wanted}. Here it is another text.", None,
                        classify_witness(reply))  # fmt: skip
    return wrong_type(replies, (str, type(None)), wanted) or compare(
        replies,
        right_network,
        CLASSIFY_BELIEFS,
        "For some address you name a network whose range does not hold it, or the other way round.",
        read=lambda value: value.strip().lower() if isinstance(value, str) else value,
        witness=classify_witness,
    )


def classify_witness(reply: Reply) -> str:
    """The first address that is in another network than the answer says."""
    ip, networks = reply.args
    lines = [f"  {name:<8} {prefix}" for name, prefix in networks.items()]
    return "\n".join([f"Address {ip}, and the networks", *lines, f"You returned {reply.value!r}."])


# -- 01.plan --------------------------------------------------------------------------------------

#: Of each range the first address, docker0's, and the last one are not for pods.
NOT_FOR_PODS = 3


def length_for(pods: int, reserved: int = NOT_FOR_PODS) -> int:
    """The longest prefix with room for so many pods."""
    return 32 - (pods + reserved - 1).bit_length()


def plan_calls(seed: int) -> tuple[Call, ...]:
    """Pod networks of several sizes. Each group asks where one mistake shows."""
    dice = random.Random(f"plan {seed}")
    a, b = dice.randint(2, 90), dice.randint(1, 250)
    wide = f"10.{a}.0.0/16"
    size = 1 << dice.randint(5, 7)
    narrow = f"10.{a}.{b}.0/24"
    calls = [
        Call("room", (wide, 3, size - NOT_FOR_PODS)),
        Call("room", (wide, 3, size - NOT_FOR_PODS + 1)),
        Call("room", (wide, 3, size - NOT_FOR_PODS + 2)),
        Call("room", (wide, 3, 4 * size)),
        Call("room", (wide, 2, 700 + b)),
        Call("apart", (wide, 4, 100)),
        Call("apart", (wide, dice.randint(5, 9), 30)),
        Call("apart", (wide, 1, 100)),
    ]
    calls += [Call("growth", (wide, nodes, 100)) for nodes in range(2, 7)]
    whole = 256 // size
    fits = size - NOT_FOR_PODS
    calls += [Call("full", (narrow, whole, fits)), Call("full", (narrow, whole + 1, fits))]
    calls += [Call("full", (narrow, 2 * whole + 3, fits)), Call("full", (narrow, 1, 300))]
    return tuple(calls)


def ranges(value: Any) -> list[Prefix] | str:
    """The ranges of a plan, or what is wrong with one of them."""
    found = []
    for text in value:
        if not isinstance(text, str):
            return "A plan is a list of prefixes, such as '10.1.15.0/24'."
        try:
            found.append(Prefix.parse(text.strip()))
        except BadAddress:
            return f"'{text}' is no prefix: an address with the host bits zero, a slash, a length."
    return found


def _plans(replies: Sequence[Reply]) -> Findings | list[list[Prefix]]:
    """Every reply as ranges, if each is a plan for the right number of nodes."""
    plans = []
    for reply in replies:
        if reply.value is None:
            return fail("You say that there is no room here. There is.", None, asked(reply))
        read = ranges(reply.value)
        if isinstance(read, str):
            return fail(read, None, asked(reply))
        if len(read) != reply.args[1]:
            text = "A plan has one range for each node: no more, and no less."
            return fail(text, None, asked(reply))
        plans.append(read)
    return plans


def asked(reply: Reply) -> str:
    """The call and its answer, for the witness."""
    network, nodes, pods = reply.args
    value = reply.value
    shown = ", ".join(map(str, value[:6])) if isinstance(value, list) else str(value)
    more = " …" if isinstance(value, list) and len(value) > 6 else ""
    return f"plan({network!r}, {nodes}, {pods})\nreturned {shown}{more}"


_WANTED = "a list of prefixes, or None"


def check_room(replies: Sequence[Reply], seed: int) -> Findings:
    """Each range has an address for every pod, and none is larger than it must be."""
    plans = wrong_type(replies, (list, type(None)), _WANTED) or _plans(replies)
    if isinstance(plans, tuple):
        return plans
    seen = [Reply(r.args, {p.length for p in plan}) for r, plan in zip(replies, plans, strict=True)]
    wrong = [at for at, r in enumerate(seen) if r.value != {length_for(r.args[2])}]
    if not wrong:
        return ()
    witness = asked(replies[wrong[0]])

    def all_of(length: Callable[[int], int]) -> bool:
        return all(r.value == {length(r.args[2])} for r in seen)

    if all_of(lambda pods: length_for(pods, 2)):
        text = (
            "You seem to forget docker0: the pods' gateway has an address of the range, too. "
            "It is a neighbour of its pods."
        )
        return fail(text, "NO_GATEWAY", witness)
    if any(all_of(lambda pods, less=less: length_for(pods, less)) for less in (0, 1)):
        text = (
            "You seem to think that pods can have every address of a range. "
            "The first and the last are not for them."
        )
        return fail(text, "NO_EDGES", witness)
    if all_of(lambda pods: 24) or all_of(lambda pods: 8 * (length_for(pods) // 8)):
        text = "You seem to think that a range ends at a dot. Its length may be any number of bits."
        return fail(text, "WHOLE_OCTET", witness)
    if all(r.value == {share(r.args[0], r.args[1])} for r in seen):
        return fail(_REBALANCE, "REBALANCE", witness)
    large = all(max(r.value) <= length_for(r.args[2]) for r in seen)
    text = "Some range is larger than it must be." if large else "Some range is too small."
    return fail(f"{text} Count the addresses that it needs.", None, witness)


_REBALANCE = (
    "You seem to share out the whole network anew for each number of nodes. "
    "Then a new node takes addresses away from the others."
)


def share(network: str, nodes: int) -> int:
    """The prefix length if the whole network is shared out among the nodes."""
    return Prefix.parse(network).length + (nodes - 1).bit_length()


def spread(network: str, plan: Sequence[Prefix]) -> list[int]:
    """Where ranges begin if they are spread evenly over the network."""
    whole = Prefix.parse(network)
    step = (1 << 32 - whole.length) // len(plan)
    size = 1 << 32 - plan[0].length
    return [whole.net + at * step // size * size for at in range(len(plan))]


def check_apart(replies: Sequence[Reply], seed: int) -> Findings:
    """No two ranges overlap, and all lie in the pod network."""
    plans = wrong_type(replies, (list, type(None)), _WANTED) or _plans(replies)
    if isinstance(plans, tuple):
        return plans
    for reply, plan in zip(replies, plans, strict=True):
        if not all(within(one, reply.args[0]) for one in plan):
            return fail("Some range lies outside the pod network.", None, asked(reply))
        if len(plan) > 1 and len(set(plan)) == 1:
            text = (
                "You seem to think that every node can use one and the same range. "
                "Then the wrong pod answers, as in the lesson."
            )
            return fail(text, "SAME_RANGE", asked(reply))
        if any(one.overlaps(two) for at, one in enumerate(plan) for two in plan[:at]):
            return fail("Two ranges have an address in common.", None, asked(reply))
    return ()


def within(one: Prefix, network: str) -> bool:
    """True if every address of a range is in the network."""
    whole = Prefix.parse(network)
    return one.network in whole and one.broadcast in whole


def check_growth(replies: Sequence[Reply], seed: int) -> Findings:
    """A new node changes nothing for those that are there."""
    plans = wrong_type(replies, (list, type(None)), _WANTED) or _plans(replies)
    if isinstance(plans, tuple):
        return plans
    for small, large, reply in zip(plans, plans[1:], replies[1:], strict=False):
        if large[: len(small)] == small:
            continue
        shared = {p.length for p in large} == {share(reply.args[0], reply.args[1])}
        even = [p.net for p in large] == spread(reply.args[0], large)
        if shared or even:
            return fail(_REBALANCE, "REBALANCE", asked(reply))
        text = "With one node more, a node that was there gets another range."
        return fail(text, None, asked(reply))
    return ()


def check_full(replies: Sequence[Reply], seed: int) -> Findings:
    """None where no plan fits, and a plan where one just fits."""
    bad = wrong_type(replies, (list, type(None)), _WANTED)
    if bad:
        return bad
    for reply in replies:
        network, nodes, pods = reply.args
        length, whole = length_for(pods), Prefix.parse(network)
        fits = length >= whole.length and nodes <= 1 << length - whole.length
        if fits and reply.value is None:
            text = "You say None, but there is a plan that just fits."
            return fail(text, None, asked(reply))
        if not fits and reply.value is not None:
            read = ranges(reply.value)
            if isinstance(read, list) and not all(within(one, network) for one in read):
                text = (
                    "You seem to think that ranges may go on behind the end of the pod network. "
                    "Flannel routes this network only."
                )
                return fail(text, "SPILLS", asked(reply))
            text = "Where not every node gets a range of its own, return None."
            return fail(text, None, asked(reply))
    return ()


CALLS = {"01.classify": classify_calls, "01.plan": plan_calls}

ITEMS = (
    Item("01.classify.cluster", 3, "Addresses of a cluster, first and last too", check_classify),
    Item("01.classify.bits", 3, "Prefixes that end inside an octet", check_classify),
    Item("01.classify.outside", 2, "Addresses of no network", check_classify),
    Item("01.plan.room", 3, "The size of a range", check_room),
    Item("01.plan.apart", 2, "Ranges that do not overlap", check_apart),
    Item("01.plan.growth", 2, "One node more", check_growth),
    Item("01.plan.full", 1, "When there is no room", check_full),
)
