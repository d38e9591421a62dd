"""Compares the model with one recorded flow of a real kernel.

How to compare is laid down with the recordings (``README.md`` in this folder): frames are grouped by
packet, the frames of one packet agree exactly and in order, ``*`` in a recording stands for what the
kernel drew at random, and a model may only have *more* than a recording where the recording says it
left something out (ARP with warm caches, pure ACKs after the first, further data, retransmissions).

A field that this runner does not know is an error: nothing is passed over in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from k8snetlib import Cluster, Exchange, Hop, Trace
from k8snetlib.lab.compare import ends, told
from k8snetlib.packet import Icmp, Slice

HERE = Path(__file__).parent

FIELDS = {
    "schema", "id", "backend", "title", "note", "kernel", "pod_mtu", "setup", "during", "send",
    "result", "packets", "rules", "conntrack",
}  # fmt: skip
SEND = {
    "from", "proto", "to", "port", "sport", "endpoint", "payload", "reply_payload", "df", "ttl",
}  # fmt: skip
RESULT = {
    "kind", "from", "to", "connect_ms", "local", "reply", "ok", "elapsed_ms", "payload", "df", "ttl",
    "result", "by", "reply_ttl", "rtt_ms", "error", "quoted_ttl", "quoted_src", "quoted_dst",
    "quoted_dport", "mtu", "reply_len", "pod", "pod_port", "seen_by_server",
}  # fmt: skip


#: Ports that somebody listens on: never random.
LISTENERS = {"53", "80", "8080", "8285", "8472", "9000", "10250", "30080", "30081", "30082"}


class Unsupported(Exception):
    """The flow holds something that this runner (or the model) does not carry yet."""


class Comparison(NamedTuple):
    """What was compared, and every difference found (empty: model and kernel agree)."""

    packets: int
    frames: int
    differences: tuple[str, ...]


def load(path: Path) -> dict[str, Any]:
    """One flow file; raises ``Unsupported`` if it has a field that this runner does not know."""
    flow = json.loads(path.read_text())
    unknown = set(flow) - FIELDS
    if unknown or flow.get("schema") != "kernel-flow/2":
        raise Unsupported(f"{path.name}: unknown fields or schema: {sorted(unknown)}")
    return flow


@cache
def warm_cluster(backend: str, proxy_mode: str = "iptables", **options: Any) -> Cluster:
    """The example cluster, with the rules of its own kube-proxy, kubelet and flannel, after every
    host has talked to every other: warm neighbour caches. ``options`` are ``Cluster.example``'s."""
    cluster = Cluster.example(backend, proxy_mode, **options)
    hosts = [host.name for host in cluster.topology.hosts if host.role in ("pod", "node", "host")]
    for one in hosts:
        for other in hosts:
            if one != other:
                cluster.ping(one, other)
    for pod in cluster.spec.pods:
        cluster.ping(pod.name, cluster.network[pod.node].devices["docker0"].addresses[0].ip)
    for node in cluster.nodes:
        cluster[node].sh("conntrack -F")  # as the lab did: what warmed the caches up is forgotten
    return cluster


def run(flow: Mapping[str, Any]) -> Comparison:
    """Sends the same packets through the model and compares."""
    cluster = warm_cluster(flow["backend"]).clone()
    for line in flow["setup"]:
        cluster[line["netns"]].sh(line["command"])
    if flow["during"]:
        raise Unsupported("commands in mid-connection")
    sends = flow["send"] if isinstance(flow["send"], list) else [flow["send"]]
    results = flow["result"] if isinstance(flow["result"], list) else [flow["result"]]
    if "command" in sends[0]:
        (send,) = sends
        typed = _type(cluster, send, results)
        traces = list(cluster.network.last)
        differences = [*typed.differences]
        differences += _compare_packets(flow["packets"], traces, arp_free=True)
        differences += _compare_rules(flow.get("rules", {}), traces, LISTENERS)
        frames = sum(len(packet["frames"]) for packet in flow["packets"])
        return Comparison(len(flow["packets"]), frames, tuple(differences))
    for send in sends:
        _answer_with(cluster, send)
    exchanges = []
    for send in sends:
        for ns in cluster.network.netns.values():
            ns.pmtu.clear()  # as the lab did before each probe
        exchanges.append(_send(cluster, send))
    if len(results) != len(exchanges):
        raise Unsupported(f"{len(sends)} sends, but {len(results)} results")
    differences: list[str] = []
    for send, exchange, result in zip(sends, exchanges, results, strict=True):
        differences += _compare_result(send, exchange, result)
    recorded = flow["packets"]
    cold = any("neigh flush" in line["command"] for line in flow["setup"])
    traces = [trace for exchange in exchanges for trace in exchange.packets]
    if recorded:  # else only the result counts
        differences += _compare_packets(recorded, traces, arp_free=not cold)
    ports = {str(send[k]) for send in sends for k in ("port", "sport") if k in send} | LISTENERS
    differences += _compare_rules(flow.get("rules", {}), traces, ports)
    differences += _compare_conntrack(flow.get("conntrack", {}), cluster)
    frames = sum(len(packet["frames"]) for packet in recorded)
    return Comparison(len(recorded), frames, tuple(differences))


def _answer_with(cluster: Cluster, send: Mapping[str, Any]) -> None:
    """The recorded servers answered a datagram with so many bytes."""
    for ns in cluster.network.netns.values():
        for key, listener in ns.listeners.items():
            if "reply_payload" in send and key[0] == "udp":
                ns.listeners[key] = listener._replace(reply=bytes(send["reply_payload"]))


def _type(cluster: Cluster, send: Mapping[str, Any], results: list[Any]) -> Comparison:
    """A command typed in a namespace; its lines without times, and the packets of its walk."""
    said = cluster[send["from"]].sh(send["command"]).splitlines()[1:]
    ours = [re.sub(r"\s+[\d.]+ ms", "", line).split() for line in said]
    theirs = [re.sub(r"\s+[\d.]+ ms", "", line).split() for line in results]
    wrong = [f"{send['command']}: kernel {theirs}, model {ours}"] if ours != theirs else []
    return Comparison(0, 0, tuple(wrong))


def _send(cluster: Cluster, send: Mapping[str, Any]) -> Exchange:
    unknown = set(send) - SEND
    if unknown:
        raise Unsupported(f"send: {sorted(unknown)}")
    if send["proto"] == "tcp":
        options = {k: send[k] for k in ("sport", "endpoint") if k in send}
        return cluster.connect(send["from"], send["to"], send["port"], **options)
    options = {
        k: send[k] for k in ("port", "sport", "endpoint", "payload", "df", "ttl") if k in send
    }
    return cluster.send(send["from"], send["to"], proto=send["proto"], **options)


# -- frames ---------------------------------------------------------------------------------------


def _compare_packets(
    recorded: Iterable[Mapping[str, Any]], traces: list[Trace], *, arp_free: bool
) -> list[str]:
    differences: list[str] = []
    left = [trace for trace in traces if trace.frames]
    partners: list[tuple[str, int]] = []
    for packet in recorded:
        at = next((i for i, t in enumerate(left) if _same(packet, t)), None)
        if at is None:
            differences.append(_missing(packet, left))
            continue
        trace = left.pop(at)
        partners.append((trace.frames[0].netns, traces.index(trace)))
    for i, (netns, place) in enumerate(partners):
        for later_netns, later in partners[i + 1 :]:
            if netns == later_netns and later < place:
                differences.append(f"packets from {netns} left in another order")
    for trace in left:
        if not _may_be_extra(trace, traces, arp_free=arp_free):
            differences.append(told(f"only in the model: {trace.label}", map(str, trace.frames)))
    return differences


def _same(packet: Mapping[str, Any], trace: Trace) -> bool:
    lines = [str(frame) for frame in trace.frames]
    return (
        _matches(packet["packet"], trace.label)
        and len(lines) == len(packet["frames"])
        and all(map(_matches, packet["frames"], lines))
    )


def _matches(recorded: str, line: str) -> bool:
    if "*" not in recorded:
        return recorded == line
    return bool(re.fullmatch(re.escape(recorded).replace(r"\*", r"\S+?"), line))


def _may_be_extra(trace: Trace, traces: list[Trace], *, arp_free: bool) -> bool:
    if trace.label.startswith("ARP") and arp_free:
        return True
    lines = [str(frame) for frame in trace.frames]
    before = traces[: traces.index(trace)]
    twins = [t for t in before if t.label == trace.label]
    if any([str(frame) for frame in t.frames] == lines for t in twins):
        return True  # a retransmission
    origin = trace.frames[0].netns
    if trace.label == "TCP AP":  # some recordings hold no reply segment
        return True
    return trace.label == "TCP A" and any(t.frames[0].netns == origin for t in twins)


def _missing(packet: Mapping[str, Any], left: list[Trace]) -> str:
    text = told(f"only in the kernel: {packet['packet']}", packet["frames"])
    near = next((t for t in left if t.label == packet["packet"]), None)
    if near is None:
        return text
    return text + "\n" + told("  the model has:", map(str, near.frames))


# -- rules and connections ------------------------------------------------------------------------


def _compare_rules(
    recorded: Mapping[str, Any], traces: list[Trace], flow_ports: set[str]
) -> list[str]:
    """Per node, the first packets that netfilter saw there, and the rules they matched."""
    differences = []
    for node, packets in recorded.items():
        passes = [p for t in traces for hop in t.hops if hop.netns == node for p in _passes(hop)]
        for at, packet in enumerate(packets):
            name, path = passes[at] if at < len(passes) else ("nothing", [])
            same = _same_addresses(packet["packet"], name, flow_ports)
            if not same or packet["path"] != path:
                said = told(f"{node}, packet {at}: kernel {packet['packet']}", packet["path"])
                ours = told(f"  model {name}", path)
                differences.append(f"{said}\n{ours}")
    return differences


def _passes(hop: Hop) -> list[tuple[str, list[str]]]:
    """Each time a packet went through the hooks in one visit: its addresses, and its rules."""
    found: list[tuple[str, list[str]]] = []
    for step in hop.steps:
        if step.stage == "conntrack" and step.verdict == "pass":
            found.append((ends(step.packet), []))
        if step.stage == "receive" and step.device == "lo":
            found.append((ends(step.packet), []))  # the trace begins anew
        if step.rules or " " in step.stage:  # "nat OUTPUT": a box of a hook
            if not found:  # an answer of the kernel itself, which belongs to a connection already
                found.append((ends(step.packet), []))
            found[-1][1].extend(map(str, step.rules))
    return found


def _same_addresses(recorded: str, ours: str, fixed: set[str]) -> bool:
    """Equal, but for ports that neither the sender fixed nor a listener has: those are random."""

    def star(text: str) -> str:
        return re.sub(r":(\d+)", lambda m: m[0] if m[1] in fixed else ":*", text)

    return star(recorded) == star(ours)


def _compare_conntrack(recorded: Mapping[str, Any], cluster: Cluster) -> list[str]:
    differences = []
    for node, lines in recorded.items():
        ours = [str(c) for c in cluster[node].conntrack.connections(cluster.network.now)]
        for line in lines:
            partner = next((o for o in ours if _matches(line, o)), None)
            if partner is None:
                differences.append(told(f"{node}: only the kernel tracks {line}; model:", ours))
            else:
                ours.remove(partner)
        differences += [f"{node}: only the model tracks {line}" for line in ours]
    return differences


# -- results --------------------------------------------------------------------------------------

ERRORS = {
    "ECONNREFUSED": {"refused", "rejected"},
    "EHOSTUNREACH": {"unreachable"},
    "ENETUNREACH": {"unreachable"},
    "ETIMEDOUT(client gave up)": {"lost", "dropped"},
}
PROBES = {
    "reply": {"delivered"},
    "timeout": {"lost", "dropped"},
    "icmp 11/0 ttl-exceeded": {"ttl-exceeded"},
    "icmp 3/0 net-unreachable": {"unreachable"},
    "icmp 3/3 port-unreachable": {"refused", "rejected"},
    "icmp 3/4 frag-needed": {"too-big"},
    "local error EMSGSIZE": {"too-big"},
}


def _compare_result(
    send: Mapping[str, Any], exchange: Exchange, result: Mapping[str, Any]
) -> list[str]:
    ports = {str(send[k]) for k in ("port", "sport") if k in send} | LISTENERS
    if not isinstance(result, dict) or set(result) - RESULT:
        raise Unsupported(f"result: {result!r:.100}")
    seen = _observed(send, exchange)
    differences = []
    for key, value in result.items():
        if key in ("result", "error", "ok"):
            expected = {"delivered"} if value is True else None
            expected = PROBES.get(value) if key == "result" else expected
            expected = ERRORS.get(value) if key == "error" else expected
            if value is False:
                expected = set().union(*ERRORS.values())
            if expected is None:
                raise Unsupported(f"result: {key}={value!r}")
            if exchange.outcome not in expected:
                differences.append(f"{key}: kernel {value!r}, model {exchange.outcome!r}")
        elif key == "reply":
            differences += [
                f"reply.{k}: kernel {v!r}, model {seen.get(k)!r}"
                for k, v in value.items()
                if k != "pid" and not _same_addresses(str(v), str(seen.get(k)), ports)
            ]
        elif key in seen and not _same_addresses(str(value), str(seen[key]), ports):
            differences.append(f"{key}: kernel {value!r}, model {seen[key]!r}")
        elif key not in seen and key not in ("connect_ms", "elapsed_ms", "rtt_ms", "kind"):
            raise Unsupported(f"result: {key}")
    return differences


def _observed(send: Mapping[str, Any], exchange: Exchange) -> dict[str, Any]:
    """What the sender and the server saw, under the names of the recordings."""
    seen: dict[str, Any] = {
        key: send[key] for key in ("from", "payload", "df", "ttl") if key in send
    }
    port = f":{send['port']}" if "port" in send and send["proto"] != "icmp" else ""
    seen["to"] = f"{send['to']}{port}"
    if exchange.outcome == "too-big" and exchange.request is None:
        seen["mtu"] = int(exchange.reason.split("(")[1].split(")")[0])
    if exchange.request:
        first, last = exchange.request.steps[0].packet, exchange.request.last
        transport = first.transport
        seen["local"] = f"{first.ip.src}:{getattr(transport, 'sport', '')}"
        arrived = last.packet.innermost
        seen["peer"] = f"{arrived.ip.src}:{getattr(arrived.transport, 'sport', '')}"
        seen["seen_by_server"] = seen["peer"]
        seen |= {"pod": send["from"], "pod_port": getattr(transport, "sport", None)}
        process = str(getattr(last.by, "process", None))
        # The recording names a node's server after the node; here it is the node's kubelet.
        seen["name"] = exchange.request.end if process == "kubelet" else process
        data = [t for t in exchange.packets if t.label == "TCP AP"]
        seen["got"] = len(data[0].last.packet.payload) if data else None
    if exchange.reply:
        reply = exchange.reply.last.packet
        seen["by"], seen["reply_ttl"] = reply.ip.src, reply.ip.ttl
        seen["reply_len"] = len(reply.payload)
        if isinstance(reply.payload, Slice) and isinstance(reply.transport, Icmp):
            quoted = reply.payload.packet
            seen |= {"quoted_src": quoted.ip.src, "quoted_dst": quoted.ip.dst}
            seen |= {"quoted_ttl": quoted.ip.ttl, "mtu": reply.transport.mtu}
            seen["quoted_dport"] = getattr(quoted.transport, "dport", None)
    return seen
