"""The rubric of 11.matrix, 11.reply and 11.probes: predictions about the example cluster.

The model sends the same packets when a check runs. ``checks_targets`` holds the code task.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster, Exchange
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail, same
from k8snetlib.packet import Ethernet
from k8snetlib.trace import Trace

CLUSTER, LOCAL = 30080, 30081
#: case -> (client, entry node, node port)
CASES = {
    "a": ("ext", "node1", CLUSTER),
    "b": ("ext", "node1", LOCAL),
    "c": ("ext", "node2", LOCAL),
    "d": ("web2", "node1", LOCAL),
    "e": ("node1", "node1", LOCAL),
}
#: A node has several addresses; its name stands for the one that other machines know.
NODES = {"node1": "192.168.66.11", "node2": "192.168.66.12", "node3": "192.168.66.13"}


@lru_cache(maxsize=4)
def example(mode: str = "iptables") -> Cluster:
    """The example cluster with host-gw."""
    return Cluster.example("host-gw", mode)


@lru_cache(maxsize=16)
def walk(case: str) -> Exchange:
    """One case; where there is a choice, the endpoint is backend."""
    client, node, port = CASES[case]
    return example().clone().connect(client, node, port, endpoint="backend")


def seen(case: str) -> tuple[str, str]:
    """(delivered or dropped, the source address that backend sees)."""
    exchange = walk(case)
    assert exchange.request is not None
    if exchange.outcome != "delivered":
        return exchange.outcome, "nobody"
    return "delivered", exchange.request.last.packet.ip.src


def fate(value: Any) -> Any:
    """A fate in one of the words that the task names."""
    said = forms.outcome(value)
    silent = ("lost", "timeout", "timed out", "times out", "time-out", "waits", "hangs", "silence")
    error = ("rejected", "unreachable")
    return "dropped" if said in silent else "refused" if said in error else said


def who(value: Any) -> Any:
    """An address, from itself or from the name of its owner; ``nobody`` in every form."""
    said = forms.nobody(forms.host(value))
    if said in NODES:
        return NODES[said]
    return said if said == "nobody" else forms.address(value, example().network.names)


def _case(answer: dict[str, Any], case: str) -> tuple[Any, Any]:
    said = fate(answer[f"{case}.fate"])
    source = who(answer.get(f"{case}.source"))
    return said, "nobody" if said in ("dropped", "refused") else source


# -- 11.matrix ------------------------------------------------------------------------------------


def check_cluster(answer: dict[str, Any], seed: int) -> Findings:
    """Policy Cluster, from outside."""
    said, right = _case(answer, "a"), seen("a")
    if same(said, right):
        return ()
    if said[1] == who("ext"):
        text = (
            "You seem to think that a NodePort keeps the client's address. "
            "Then the answer would not come back through node1."
        )
        return fail(text, "NP_SRC", walk("a"))
    if said[1] in (who("node2"), "10.1.20.1"):
        text = (
            "You seem to think that the endpoint's node takes the connection. "
            "The entry node chooses, and translates."
        )
        return fail(text, "TARGET_LB", walk("a"))
    if said[0] in ("dropped", "refused"):
        text = (
            "You seem to think that a node serves its own endpoints only. "
            "Under policy Cluster every node serves all of them."
        )
        return fail(text, "NEAR_ONLY", walk("a"))
    if said[1] in ("10.1.15.1", "10.96.0.10"):
        text = (
            "You seem to think that the packet takes another address of the way. "
            "MASQUERADE gives that of the device by which it leaves node1: eth0."
        )
        return fail(text, "NODE_ADDRESS", walk("a"))
    return fail("Which node changes this packet's addresses, and to what?", None, walk("a"))


def check_outside(answer: dict[str, Any], seed: int) -> Findings:
    """Policy Local, from outside, at a node without and at a node with an endpoint."""
    said = _case(answer, "b"), _case(answer, "c")
    if same(said, (seen("b"), seen("c"))):
        return ()
    if said[0][0] == "delivered":
        text = (
            "You seem to think that policy Local forwards to another node. "
            "For clients outside only endpoints of the entry node count."
        )
        return fail(text, "ETP_FWD", walk("b"))
    if said[0][0] == "refused":
        text = (
            "You seem to think that the node refuses. It stays silent, "
            "as the Service has endpoints elsewhere."
        )
        return fail(text, "REFUSED_LOCAL", walk("b"))
    if said[1][1] in (who("node2"), "10.1.20.1"):
        text = (
            "You seem to think that policy Local hides the client, too. "
            "The answer starts on the entry node, so nothing need be hidden."
        )
        return fail(text, "LOCAL_HIDES", walk("c"))
    if said[1][0] in ("dropped", "refused"):
        text = (
            "You seem to think that policy Local shuts out clients from outside. "
            "It serves them, at each node with an endpoint."
        )
        return fail(text, "LOCAL_CLOSES", walk("c"))
    return fail("Has the entry node an endpoint of its own? Look at both cases.", None, walk("b"))


RULE = "no local endpoints"
#: These and the chains of one Service or endpoint are chains of nat; MARK-DROP is an old one.
NAT_CHAINS = ("NODEPORTS", "EXT-", "SERVICES", "SV", "SEP", "MARK", "POSTROUTING", "XLB")
BUILT_IN = ("INPUT", "FORWARD", "OUTPUT")


def check_rule(answer: dict[str, Any], seed: int) -> Findings:
    """The chain whose rule decides case b."""
    request = walk("b").request
    assert request is not None
    deciding = [r for hop in request.hops for s in hop.steps for r in s.rules if RULE in str(r)]
    chain = str(deciding[-1]).partition(":")[2].split()[0]
    named = re.findall(r"[A-Z]+(?:-[A-Z\d]+)*", str(answer["b.chain"]).upper())
    said = [name for name in named if name.startswith("KUBE-") or name in BUILT_IN]
    if said == [chain]:
        return ()
    if said and set(said) <= set(BUILT_IN):
        return fail("This chain only calls others. Which chain holds the rule that decides?")
    if "PREROUTING" in named or any(n.removeprefix("KUBE-").startswith(NAT_CHAINS) for n in said):
        text = (
            "You seem to think that a nat rule drops it. "
            "nat rules change addresses; this packet is thrown away later."
        )
        return fail(text, "NAT_DROPS", walk("b"))
    return fail("The rule's own comment says why it drops. Look for it: iptables-save on node1.")


def check_inside(answer: dict[str, Any], seed: int) -> Findings:
    """Policy Local, from inside the entry node."""
    said = _case(answer, "d"), _case(answer, "e")
    if same(said, (seen("d"), seen("e"))):
        return ()
    shut = ("dropped", "refused")
    if said[0][0] in shut or said[1][0] in shut:
        case = "d" if said[0][0] in shut else "e"
        text = (
            "You seem to think that policy Local binds everybody. "
            "It is about clients outside; these two are inside."
        )
        return fail(text, "LOCAL_FOR_ALL", walk(case))
    if said[0][1] != seen("d")[1]:
        text = (
            "You seem to think that node1 hides its own pod. "
            "The answer to a pod of node1 passes node1 anyhow."
        )
        return fail(text, "POD_HIDDEN", walk("d"))
    return fail("Who sends in each of the two cases, and with which address?", None, walk("e"))


# -- 11.reply -------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def answer_of(case: str) -> tuple[Trace, Exchange]:
    """The first TCP answer of a case, and its exchange."""
    exchange = walk(case)
    return next(p for p in exchange.packets if p.label == "TCP SA"), exchange


def nodes_of(trace: Trace) -> list[str]:
    """The nodes that a packet passed, in order."""
    return [hop.netns for hop in trace.hops if hop.netns.startswith("node")]


def sent_to(trace: Trace) -> str:
    """The destination as the packet left its sender."""
    frame = trace.frames[0]
    assert isinstance(frame.packet.headers[0], Ethernet)
    return str(frame.packet.ip.dst)


def _way(value: Any) -> Any:
    if isinstance(value, str):
        for mark in ("->", "→", ">", ","):
            value = value.replace(mark, " ")
        value = value.split()
    if not isinstance(value, list):
        return value
    # Whoever lists every hop has listed the nodes as well.
    return [name for name in map(forms.host, value) if str(name).startswith("node")]


def check_cluster_reply(answer: dict[str, Any], seed: int) -> Findings:
    """Policy Cluster: where backend sends, and which nodes the answer passes."""
    trace, exchange = answer_of("a")
    said = who(answer["cluster.sent_to"]), _way(answer["cluster.nodes"])
    if same(said, (sent_to(trace), nodes_of(trace))):
        return ()
    if said[0] == who("ext"):
        text = "You seem to think that backend answers the client. It has never seen its address."
        return fail(text, "NP_SRC", exchange)
    if said[0] in (who("node2"), "10.1.20.1"):
        text = (
            "You seem to think that node2 takes the connection. "
            "backend answers the address that it saw, and node1 has put that in."
        )
        return fail(text, "TARGET_LB", exchange)
    if isinstance(said[1], list) and "node1" not in said[1]:
        text = (
            "You seem to think that an answer may take any way. "
            "Only node1 can undo what node1 has changed."
        )
        return fail(text, "ASYM", exchange)
    if said[1] == nodes_of(trace)[::-1]:
        return fail("This is the way in. The answer begins at backend.", None, exchange)
    if said[1] == ["node1"]:
        return fail("backend runs on node2. So which node does its answer pass first?")
    return fail("Follow the answer: who owns the address that backend saw?", None, exchange)


def check_undone(answer: dict[str, Any], seed: int) -> Findings:
    """What turns the addresses back, and what ext sees."""
    trace, exchange = answer_of("a")
    seen_by_ext = trace.last.packet.ip.src
    said = forms.words(answer["cluster.undone_by"]), who(answer["cluster.ext_sees"])
    word = said[0].lower() if isinstance(said[0], str) else ""
    if "conntrack" in word or "connection" in word:
        if said[1] == seen_by_ext:
            return ()
        text = (
            "You seem to think that the answer shows where it comes from. "
            "ext must see the address that it called."
        )
        return fail(text, "REPLY_FROM_POD", exchange)
    if "proxy" in word:
        text = (
            "You seem to think that packets pass through kube-proxy. "
            "It only writes rules; the kernel remembers the connection."
        )
        return fail(text, "PROXY_DATA", exchange)
    text = (
        "You seem to think that the answer needs a rule of its own. "
        "The kernel remembers the connection, and undoes both changes."
    )
    return fail(text, "SNAT_REPLY", exchange)


def check_local_reply(answer: dict[str, Any], seed: int) -> Findings:
    """Policy Local: the same for an endpoint of the entry node."""
    trace, exchange = answer_of("c")
    said = who(answer["local.sent_to"]), _way(answer["local.nodes"])
    if same(said, (sent_to(trace), nodes_of(trace))):
        return ()
    if said[0] != sent_to(trace) or (isinstance(said[1], list) and len(said[1]) > 1):
        text = "You seem to send this answer to a node first. With policy Local nobody hides ext."
        return fail(text, "LOCAL_DETOUR", exchange)
    return fail("On which node does backend run? Its answer passes this node's routing.")


# -- 11.probes ------------------------------------------------------------------------------------


def check_ss(answer: dict[str, Any], seed: int) -> Findings:
    """Whether ss lists the node port."""
    listed = str(CLUSTER) in example()["node1"].sh("ss -lntup")
    if forms.yes(answer["ss_lists_it"]) is listed:
        return ()
    text = "You seem to think that somebody listens on a node port. It is rules, and no socket."
    return fail(text, "NP_LISTEN")


def check_ping(answer: dict[str, Any], seed: int) -> Findings:
    """Who answers a ping, and what it proves."""
    cluster = example().clone()
    request = cluster.ping("ext", "node1").request
    assert request is not None
    by = forms.host(answer["ping.answered_by"])
    by = next((name for name, ip in NODES.items() if by == ip), by)
    proves = forms.yes(answer["ping.proves_the_port"])
    if same((by, proves), (request.end, False)):
        return ()
    if proves is False and by != "backend":
        return fail("Who has the address 192.168.66.11? This host answers the ping.")
    text = (
        "You seem to think that a ping tests the node port. "
        "A ping has no port: node1 itself answers, with or without a Service."
    )
    return fail(text, "PING_NP")


def check_localhost(answer: dict[str, Any], seed: int) -> Findings:
    """127.0.0.1 in three modes."""
    modes = ("iptables", "nftables", "ipvs")
    right = [
        example(mode).clone().connect("node1", "127.0.0.1", CLUSTER).outcome == "delivered"
        for mode in modes
    ]
    said = [forms.yes(answer[f"localhost.{mode}"]) for mode in modes]
    if same(said, right):
        return ()
    if all(said):
        text = (
            "You seem to think that 127.0.0.1 reaches a node port in every mode. "
            "Two of the modes serve other addresses only."
        )
        return fail(text, "NP_LOCALHOST")
    if said[0] is False:
        text = (
            "You seem to think that 127.0.0.1 never reaches a node port. "
            "In iptables mode every address of the node does."
        )
        return fail(text, "NEVER_LOCAL")
    text = "Try it: Cluster.example('host-gw', 'ipvs')['node1'].sh('curl http://127.0.0.1:30080')."
    return fail(text)


def check_input(answer: dict[str, Any], seed: int) -> Findings:
    """What an INPUT rule stops, in two modes."""
    right = []
    for mode in ("iptables", "ipvs"):
        cluster = example(mode).clone()
        cluster["node1"].sh(f"iptables -A INPUT -p tcp --dport {CLUSTER} -j DROP")
        right.append(cluster.connect("ext", "node1", CLUSTER).outcome != "delivered")
    said = [forms.yes(answer[f"input_rule_stops.{mode}"]) for mode in ("iptables", "ipvs")]
    if same(said, right):
        return ()
    if said[0] is True:
        text = (
            "You seem to think that an INPUT rule protects a node port. "
            "After DNAT the packet is forwarded, and never crosses INPUT."
        )
        return fail(text, "INPUT_FW")
    return fail("Where does IPVS take the packet: before INPUT, or inside it?")


ITEMS = (
    Item("11.matrix.cluster", 2, "Policy Cluster, from outside", check_cluster,
         ("a.fate", "a.source")),
    Item("11.matrix.outside", 2, "Policy Local, from outside", check_outside,
         ("b.fate", "c.fate", "c.source")),
    Item("11.matrix.rule", 2, "The chain that decides case b", check_rule, ("b.chain",)),
    Item("11.matrix.inside", 2, "Policy Local, from inside", check_inside,
         ("d.fate", "d.source", "e.fate", "e.source")),
    Item("11.reply.cluster", 2, "Policy Cluster: the answer's way", check_cluster_reply,
         ("cluster.sent_to", "cluster.nodes")),
    Item("11.reply.undone", 2, "What turns the addresses back", check_undone,
         ("cluster.undone_by", "cluster.ext_sees")),
    Item("11.reply.local", 2, "Policy Local: the answer's way", check_local_reply,
         ("local.sent_to", "local.nodes")),
    Item("11.probes.ss", 1, "What ss lists", check_ss, ("ss_lists_it",)),
    Item("11.probes.ping", 1, "What a ping proves", check_ping,
         ("ping.answered_by", "ping.proves_the_port")),
    Item("11.probes.localhost", 2, "127.0.0.1 in three modes", check_localhost,
         ("localhost.iptables", "localhost.nftables", "localhost.ipvs")),
    Item("11.probes.input", 2, "What an INPUT rule stops", check_input,
         ("input_rule_stops.iptables", "input_rule_stops.ipvs")),
)  # fmt: skip
