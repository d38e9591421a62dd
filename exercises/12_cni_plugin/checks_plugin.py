"""The rubric of 12.choose and 12.plugin: host-local, written by the learner.

The truth is the model's own host-local, called with files that hold the same addresses.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

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
from k8snetlib.kube.cni.host_local import owner_of
from k8snetlib.kube.cni.invoke import invoke
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network

FOLDER = "/var/lib/cni/networks/shop"


def _node(files: Mapping[str, str], last: str | None = None) -> Netns:
    node = Network().add(Netns("node1", "node"))
    for ip, container in files.items():
        node.files[f"{FOLDER}/{ip}"] = owner_of(container, "eth0")
    if last is not None:
        node.files[f"{FOLDER}/last_reserved_ip.0"] = last
    return node


def _call(node: Netns, command: str, container: str, subnet: str) -> str | None:
    """What host-local answers: an address, "" for a DEL, None for a refusal."""
    config = {"cniVersion": "1.0.0", "name": "shop", "type": "bridge",
              "ipam": {"type": "host-local", "subnet": subnet}}  # fmt: skip
    env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": "/var/run/netns/x",
           "CNI_IFNAME": "eth0"}  # fmt: skip
    answer = invoke(node, "host-local", env, json.dumps(config))
    if answer.status:
        return None
    if not answer.stdout:
        return ""
    return str(json.loads(answer.stdout)["ips"][0]["address"]).partition("/")[0]


def _files(node: Netns) -> dict[str, str]:
    found = {}
    for path, text in node.files.items():
        name = path.rpartition("/")[2]
        if path.startswith(FOLDER) and name[0].isdigit():
            found[name] = text.split()[0]
    return found


# -- 12.choose ------------------------------------------------------------------------------------


def subnet_of(seed: int) -> IPv4Network:
    """A small range that the seed draws: six or fourteen usable addresses."""
    dice = random.Random(f"12 {seed}")
    length = dice.choice((28, 29))
    start = dice.randrange(0, 256, 16)
    return IPv4Network(f"10.{dice.randint(1, 99)}.{dice.randint(1, 250)}.{start}/{length}")


def right_choice(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    """What the model's host-local gives."""
    node = _node({ip: f"c{n}" for n, ip in enumerate(taken)}, last)
    return _call(node, "ADD", "new", subnet)


def choose_calls(seed: int) -> tuple[Call, ...]:
    """Ranges, taken addresses and the last one given."""
    subnet = subnet_of(seed)
    _, gateway, *hosts = map(str, (subnet.network_address, *subnet.hosts()))
    text, end = str(subnet), len(hosts) - 1
    assert gateway not in hosts
    return (
        Call("round", (text, [hosts[1]], hosts[1])),
        Call("round", (text, [hosts[1], hosts[2], hosts[3]], hosts[1])),
        Call("round", (text, [hosts[2]], hosts[1])),
        Call("round", (text, [hosts[2]], hosts[0])),
        Call("wrap", (text, [hosts[end]], hosts[end])),
        Call("wrap", (text, [hosts[0], hosts[1], hosts[end]], hosts[end])),
        Call("wrap", (text, [hosts[0], *hosts[end - 1:]], hosts[end - 2])),
        Call("first", (text, [], None)),
        Call("full", (text, hosts, hosts[2])),
        Call("full", (text, hosts[::-1], hosts[end])),
    )  # fmt: skip


def _hosts(subnet: str) -> list[str]:
    return [str(ip) for ip in IPv4Network(subnet).hosts()][1:]


def _lowest(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    return next((ip for ip in _hosts(subnet) if ip not in taken), None)


def _no_wrap(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    hosts = _hosts(subnet)
    behind = hosts[hosts.index(last) + 1 :] if last in hosts else hosts
    return next((ip for ip in behind if ip not in taken), None)


def _with_broadcast(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    found = _no_wrap(subnet, taken, last)
    return found or str(IPv4Network(subnet).broadcast_address)


def _from_gateway(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    wraps = last is None or _no_wrap(subnet, taken, last) is None
    gateway = str(IPv4Network(subnet).network_address + 1)
    return gateway if wraps else right_choice(subnet, taken, last)


def _from(hosts: list[str], at: int, taken: Sequence[str]) -> str | None:
    return next((ip for ip in hosts[at:] + hosts[:at] if ip not in taken), None)


def _highest(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    hosts = _hosts(subnet)
    at = hosts.index(max(taken, key=IPv4Address)) + 1 if taken else 0
    return _from(hosts, at, taken)


def _from_last(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    hosts = _hosts(subnet)
    return _from(hosts, hosts.index(last) if last else 0, taken)


def _next_in_turn(subnet: str, taken: Sequence[str], last: str | None) -> str | None:
    hosts = _hosts(subnet)
    return hosts[(hosts.index(last) + 1) % len(hosts) if last else 0]


TAKEN_IGNORED = (
    "You seem to give the address behind the last one in any case. Somebody may have it."
)
CHOOSE_BELIEFS = (
    Belief(
        "LOWEST_FREE",
        "You seem to take the lowest free address. host-local goes on behind the last one it gave.",
        _lowest,
    ),
    Belief(
        "NO_WRAP",
        "You seem to think that the range ends at its last address. It goes on at the front.",
        _no_wrap,
    ),
    Belief(
        "BROADCAST_GIVEN",
        "You seem to give the broadcast address to a pod. It belongs to all hosts of the subnet.",
        _with_broadcast,
    ),
    Belief(
        "GATEWAY_GIVEN",
        "You seem to give the gateway's address to a pod. The bridge has it already.",
        _from_gateway,
    ),
    Belief(
        "TAKEN_IGNORED",
        TAKEN_IGNORED,
        lambda subnet, taken, last: str(IPv4Address(last or IPv4Network(subnet)[1]) + 1),
    ),
    Belief("TAKEN_IGNORED", TAKEN_IGNORED, _next_in_turn),
    Belief(
        "LAST_AGAIN",
        "You seem to begin with the last address itself. host-local begins just behind it.",
        _from_last,
    ),
    Belief(
        "HIGHEST",
        "You seem to go on behind the highest address taken. host-local goes on behind `last`.",
        _highest,
    ),
    Belief(
        "ALWAYS_ONE",
        "You seem to think that there is always an address to give. Here all are taken.",
        lambda subnet, taken, last: last,
    ),
)


def _text(value: Any) -> Any:
    return value.strip().partition("/")[0] if isinstance(value, str) else value


def check_choose(replies: list[Reply], seed: int) -> Findings:
    """Compares each address with host-local's."""
    return wrong_type(replies, (str, type(None)), "an address as text, or None") or compare(
        replies, right_choice, CHOOSE_BELIEFS,
        "host-local gives another address here, or None. Begin just behind `last`, and go round.",
        read=_text,
        witness=lambda reply: f"choose{reply.args!r} returned {reply.value!r}.",
    )  # fmt: skip


# -- 12.plugin ------------------------------------------------------------------------------------


def right_plugin(command: str, container: str, files: dict[str, str], free: str | None) -> Any:
    """What the model's host-local answers, and the files that it leaves."""
    # A range in which just ``free`` is left: the rest of it is taken by nobody we know.
    subnet = IPv4Network(f"{next(iter(files), free)}/29", strict=False)
    hosts = [str(ip) for ip in subnet.hosts()][1:]
    others = {ip: f"other{n}" for n, ip in enumerate(hosts) if ip not in files and ip != free}
    node = _node({**files, **others})
    answer = _call(node, command, container, str(subnet))
    left = {ip: name for ip, name in _files(node).items() if ip not in others}
    return [answer, left]


def plugin_calls(seed: int) -> tuple[Call, ...]:
    """Commands, containers and files."""
    subnet = subnet_of(seed).network_address
    a, b, c, d, e = (str(IPv4Address(int(subnet) + n)) for n in range(2, 7))
    two = {a: "web-1", b: "web-10"}
    full = {a: "v", b: "w", c: "x", d: "y", e: "z"}
    return (
        Call("add", ("ADD", "red", {a: "blue"}, b)),
        Call("add", ("ADD", "web-3", two, d)),
        Call("again", ("ADD", "blue", {a: "blue"}, c)),
        Call("again", ("ADD", "web-10", two, c)),
        Call("delete", ("DEL", "web-1", two, c)),
        Call("delete", ("DEL", "x", full, None)),
        Call("twice", ("DEL", "red", {a: "blue"}, b)),
        Call("twice", ("DEL", "web", two, c)),
        Call("full", ("ADD", "one-more", full, None)),
    )


def _second(command: str, container: str, files: dict[str, str], free: str | None) -> Any:
    return [free, {**files, str(free): container}]


def _repeats(command: str, container: str, files: dict[str, str], free: str | None) -> Any:
    return [next((ip for ip, name in files.items() if name == container), None), files]


def _prefix(command: str, container: str, files: dict[str, str], free: str | None) -> Any:
    return ["", {ip: name for ip, name in files.items() if not name.startswith(container)}]


def _done_is_none(command: str, container: str, files: dict[str, str], free: str | None) -> Any:
    return [None, {ip: name for ip, name in files.items() if name != container}]


REFUSAL_EMPTIES = Belief(
    "REFUSAL_EMPTIES",
    "You seem to leave no files when you refuse. A refusal changes nothing.",
    lambda command, container, files, free: [None, {}],
)
DEL_ALL = Belief(
    "DEL_ALL",
    "You seem to remove all files. DEL frees the address of this container only.",
    lambda command, container, files, free: ["", {}],
)
DEL_ANSWERS = Belief(
    "DEL_ANSWERS",
    "You seem to answer an address for a DEL. Its answer is an empty text.",
    lambda command, container, files, free: [
        free, {ip: name for ip, name in files.items() if name != container}
    ],
)  # fmt: skip
PLUGIN_BELIEFS = {
    "add": (
        Belief(
            "ADD_FORGETS",
            "You seem to answer an address without writing it down. The next ADD gives it again.",
            lambda command, container, files, free: [free, files],
        ),
        Belief(
            "KEY_AND_VALUE",
            "You seem to write container to address. In these files the address is the key.",
            lambda command, container, files, free: [free, {**files, container: free}],
        ),
        Belief(
            "ADD_REPLACES",
            "You seem to forget who had an address before. ADD adds one file to the others.",
            lambda command, container, files, free: [free, {free: container}],
        ),
    ),
    "again": (
        Belief(
            "ADD_TWICE",
            "You seem to give a container two addresses. host-local refuses the second ADD.",
            _second,
        ),
        Belief(
            "ADD_REPEATS",
            "You seem to think that ADD is idempotent as DEL is. host-local refuses a second ADD.",
            _repeats,
        ),
        Belief(
            "SILENT_ADD",
            "You seem to answer an empty text for an ADD that is refused. That is DEL's answer.",
            lambda command, container, files, free: ["", files],
        ),
        REFUSAL_EMPTIES,
    ),
    "delete": (
        Belief(
            "DEL_KEEPS",
            "You seem to think that DEL leaves the address taken. It must be free afterwards.",
            lambda command, container, files, free: ["", files],
        ),
        Belief(
            "DEL_PREFIX",
            "You seem to compare the beginnings of names. Another pod has lost its address, too.",
            _prefix,
        ),
        Belief(
            "NONE_IS_DONE",
            "You seem to answer None for a DEL that is done. None is a refusal.",
            _done_is_none,
        ),
        DEL_ALL,
        DEL_ANSWERS,
    ),
    "twice": (
        Belief(
            "DEL_ONCE",
            "You seem to refuse a DEL of what is gone. Then the runtime would try for ever.",
            lambda command, container, files, free: [None, files],
        ),
        DEL_ALL,
        DEL_ANSWERS,
        Belief(
            "DEL_PREFIX",
            "You seem to compare the beginnings of names. Another pod has lost its address, too.",
            _prefix,
        ),
    ),
    "full": (
        Belief(
            "FULL_WRITES",
            "You seem to write a file though there is no address. A refusal changes nothing.",
            lambda command, container, files, free: [None, {**files, "None": container}],
        ),
        Belief(
            "SILENT_ADD",
            "You seem to answer an empty text for an ADD that is refused. That is DEL's answer.",
            lambda command, container, files, free: ["", files],
        ),
        REFUSAL_EMPTIES,
    ),
}  # fmt: skip


def _read(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        return [_text(value[0]), {str(ip): name for ip, name in value[1].items()}]
    return value


def check_plugin(group: str) -> Any:
    """The check of one group of calls."""

    def check(replies: list[Reply], seed: int) -> Findings:
        pairs = [r.value for r in replies if isinstance(r.value, list) and len(r.value) == 2]
        if any(not isinstance(files, dict) for _, files in pairs):
            if group == "full":
                # files[None] = … is no dict of texts any more.
                return fail(PLUGIN_BELIEFS["full"][0].text, "FULL_WRITES")
            return fail("The files must be a dict of texts: address to container.")
        return wrong_type(replies, (list,), "a pair: the answer, and the files") or compare(
            replies, right_plugin, PLUGIN_BELIEFS[group],
            "host-local answers otherwise, or leaves other files: a dict, address to container.",
            read=_read,
            witness=lambda reply: f"plugin{reply.args!r} returned {reply.value!r}.",
        )  # fmt: skip

    return check


CALLS = {"12.choose": choose_calls, "12.plugin": plugin_calls}

ITEMS = (
    Item("12.choose.round", 2, "Behind the last address", check_choose),
    Item("12.choose.wrap", 2, "At the end of the range", check_choose),
    Item("12.choose.first", 1, "The very first address", check_choose),
    Item("12.choose.full", 1, "When all are taken", check_choose),
    Item("12.plugin.add", 2, "ADD writes an address down", check_plugin("add")),
    Item("12.plugin.again", 2, "ADD for a container that has one", check_plugin("again")),
    Item("12.plugin.delete", 2, "DEL frees the address", check_plugin("delete")),
    Item("12.plugin.twice", 1, "DEL of what is gone", check_plugin("twice")),
    Item("12.plugin.full", 1, "ADD when all are taken", check_plugin("full")),
)
