"""What lives here: the same packets through the model and through this machine's kernel.

``verify(cluster, sends)`` builds the cluster in real network namespaces (``kernel.Lab``), repeats
each send there, captures every frame on every device, and compares: what the sender saw, frames,
the way through the rules (TRACE), rule counters, connections. Each send begins from the cluster as
it was given: the model sends from a clone; in the kernel connections are reset and forgotten, and a
lab that a send has changed (neighbours, settings) is built anew. Sends with ``keeps`` go on from
where the one before has left both.

Where a rule draws an endpoint by chance, the kernel draws first and the model is pinned to that.

Simplified here: clients wait half a second for an answer that the model says will not come (for
TCP also where the model sends again later).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.lab import compare, native, native_rules, rules
from k8snetlib.lab.compare import Ports
from k8snetlib.lab.frames import frames_of, walks
from k8snetlib.lab.kernel import Lab, need_root, need_tools
from k8snetlib.lab.script import refuse_ipvs
from k8snetlib.lab.send import SENDERS, Order, Seen
from k8snetlib.lab.tap import Raw
from k8snetlib.linux.conntrack import Table
from k8snetlib.linux.netfilter.rule import Nat
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netns import Netns
from k8snetlib.trace import Exchange

if TYPE_CHECKING:
    from k8snetlib.cluster import Cluster

#: How long a real sender waits beyond what the model says, in seconds: costs time only where the
#: model is wrong. And how long it waits where the model says that nothing will come.
MARGIN, SILENCE = 3.0, 0.5
_FIRST_PORT = 40_001
_SILENT = ("lost", "dropped")
#: So often a send is repeated until chance picks the endpoint that was asked for.
DRAWS = 60


class Send(NamedTuple):
    """One send, as ``Cluster.send`` takes it.

    ``setup``: commands typed before, as (netns, command). ``endpoint``: a pod's name; where a rule
    draws by chance, the send is repeated until the kernel has drawn this one. ``keeps``: goes out
    while the connections of the send before are still open (path MTUs are forgotten all the same).
    ``command``: typed in the source's namespace instead of a send; what it prints is compared.
    """

    source: str
    target: str
    port: int | None = None
    proto: str = "tcp"
    sport: int | None = None
    payload: bytes | int | None = None
    ttl: int | None = None
    df: bool = True
    setup: tuple[tuple[str, str], ...] = ()
    endpoint: str | None = None
    keeps: bool = False
    command: str = ""

    def __str__(self) -> str:
        if self.command:
            return f"{self.source} # {self.command}"
        port = f":{self.port}" if self.port is not None else ""
        more = "" if self.ttl is None else f" ttl {self.ttl}"
        return f"{self.source} → {self.target}{port} {self.proto}{more}"


class Checked(NamedTuple):
    """One send through both. ``differences`` is empty if model and kernel agree. ``coincidence``:
    the kernel drew a port at random that something else in this send has, too."""

    send: Send
    outcome: str
    packets: int
    frames: int
    ways: int
    differences: tuple[str, ...]
    coincidence: bool = False


class Report(NamedTuple):
    """What ``verify`` found; ``str(report)`` is the whole of it in words."""

    checked: tuple[Checked, ...]
    ruleset: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """True if nothing differs."""
        return not self.ruleset and not any(one.differences for one in self.checked)

    def __str__(self) -> str:
        lines = list(self.ruleset)
        for one in self.checked:
            mark = "differs" if one.differences else "agrees"
            lines.append(f"{mark}  {one.send}: {one.outcome}, {one.frames} frames")
            lines += [f"  {line}" for text in one.differences for line in text.splitlines()]
        frames = sum(one.frames for one in self.checked)
        agree = sum(not one.differences for one in self.checked)
        packets, ways = (
            sum(getattr(o, what) for o in self.checked) for what in ("packets", "ways")
        )
        lines.append(
            f"{agree} of {len(self.checked)} sends agree: {packets} packets, {frames} frames, "
            f"{ways} ways through the rules, in {self.seconds:.1f} s"
        )
        return "\n".join(lines)


def verify(cluster: Cluster, sends: Iterable[Send], *, prefix: str = "") -> Report:
    """Repeats ``sends`` in the kernel and reports every difference.

    Raises ``K8sNetError`` without root or without ip, bridge, nft, iptables and xtables-monitor.
    """
    refuse_ipvs(cluster.network)
    need_root("verify")
    need_tools("ip", "bridge", "nft", "iptables-restore", "iptables-save", "xtables-monitor", "sh")
    began = time.monotonic()
    fresh = cluster.clone()
    _prepare(fresh)
    checked: list[Checked] = []
    ruleset: tuple[str, ...] = ()
    todo = [_complete(send, at) for at, send in enumerate(sends)]
    while todo:
        with Lab(fresh.network, prefix) as lab:
            if not checked:
                ruleset = tuple(_compare_rulesets(fresh, lab))
            done = _until_changed(fresh, lab, todo)
        checked += done
        todo = todo[len(done) :]
    return Report(tuple(checked), ruleset, time.monotonic() - began)


def _prepare(cluster: Cluster) -> None:
    """No connections, and nothing learned but neighbours; servers that answer a datagram with the
    same number of bytes, whoever asks."""
    for ns in cluster.network.netns.values():
        ns.conntrack = Table(ns.conntrack.limit)
        native.forget(ns)
        for learned in (ns.tcp, ns.pmtu, ns.redirects, ns.recent):
            learned.clear()
        for key, listener in ns.listeners.items():
            if listener.proto == "udp" and listener.reply is None and listener.tunnel is None:
                said = f"I am {listener.process}.\n".encode()
                ns.listeners[key] = listener._replace(reply=said)


_PAYLOAD: dict[str, bytes | int] = {"tcp": b"GET / HTTP/1.1\r\n\r\n", "udp": b"hello", "icmp": 56}


def _complete(send: Send, at: int) -> Send:
    """A send with everything fixed that one of the two would else choose by itself."""
    sport = _FIRST_PORT + at if send.sport is None else send.sport
    payload = _PAYLOAD.get(send.proto, b"") if send.payload is None else send.payload
    if isinstance(payload, int):
        payload = bytes(i & 0xFF for i in range(payload))
    return send._replace(sport=sport, payload=payload)


def _until_changed(cluster: Cluster, lab: Lab, todo: Sequence[Send]) -> list[Checked]:
    """Sends one after the other, until one leaves the lab in another state than it was."""
    done: list[Checked] = []
    with ExitStack() as sockets:
        before, touched, silent = cluster, False, False
        for send in todo:
            if done and not send.keeps:
                sockets.close()
                changed = touched or _learned(before) != _learned(cluster)
                if (
                    changed
                    or not lab.until_closed()
                    or (silent and not lab.until_closed(half_open=True))
                ):
                    break
            if not send.keeps:
                lab.forget_connections()
                before = cluster
            checked, before = _check(before, lab, send, sockets)
            done.append(checked)
            touched = touched or bool(send.setup or checked.differences)
            silent = send.proto == "tcp" and done[-1].outcome in _SILENT
    return done


def _learned(cluster: Cluster) -> list[object]:
    """What hosts have learned and cannot be told to forget, short of building them anew."""
    everybody = cluster.network.netns.values()
    return [(dict(ns.neighbours), dict(ns.redirects), dict(ns.recent)) for ns in everybody]


# -- one send -------------------------------------------------------------------------------------


class _Record(NamedTuple):
    """What the kernel did for one send; the socket is still open."""

    socket: socket.socket
    seen: Seen
    raw: list[Raw]
    moved: dict[str, list[rules.Counter]]
    traced: dict[str, str]
    tracked: dict[str, list[str]]


def _check(before: Cluster, lab: Lab, send: Send, sockets: ExitStack) -> tuple[Checked, Cluster]:
    """One send through both, and the model as it is afterwards."""
    base = before.clone()
    for netns, command in send.setup:
        lab.run(base[netns].name, *command.split())
        base[netns].sh(command)
    lab.forget_paths()
    for ns in base.network.netns.values():
        ns.pmtu.clear()
    expected = _send(base.clone(), send, None)
    patience = expected.elapsed + MARGIN
    if expected.outcome in _SILENT:
        patience = SILENCE + _late(expected, base.network.now)
    checked, model = _once(base, lab, send, patience, sockets)
    # Two things that the kernel drew had one port. A wrong model differs the next time, too.
    alone = not send.keeps and not send.setup and _learned(model) == _learned(base)
    if checked.differences and checked.coincidence and alone:
        sockets.close()
        if lab.until_closed():
            lab.forget_connections()
            checked, model = _once(base, lab, send, patience, sockets)
    return checked, model


def _late(exchange: Exchange, began: float) -> float:
    """How many seconds after its begin something still happens (nobody waits for TCP's repeats)."""
    times = [frame.time for trace in exchange.packets for frame in trace.frames]
    return 0.0 if exchange.proto == "tcp" else max([began, *times]) - began


def _once(
    base: Cluster, lab: Lab, send: Send, patience: float, sockets: ExitStack
) -> tuple[Checked, Cluster]:
    record = _in_kernel(base, lab, send, patience)
    drawn, tries = _endpoint(record.tracked), 1
    wanted = None if send.endpoint is None else base.address_of(send.endpoint)
    while wanted is not None and drawn not in (None, wanted) and tries < DRAWS:
        record.socket.close()
        lab.until_closed()
        lab.forget_connections()
        record = _in_kernel(base, lab, send, patience)
        drawn, tries = _endpoint(record.tracked), tries + 1
    sockets.enter_context(record.socket)
    model = base.clone()
    exchange = _send(model, send, drawn)
    checked = _compare(base, model, send, record, exchange)
    if wanted is not None and drawn not in (None, wanted):
        never = f"in {tries} tries the kernel never chose {send.endpoint} ({wanted})"
        checked = checked._replace(differences=(*checked.differences, never))
    return checked, model


def _in_kernel(cluster: Cluster, lab: Lab, send: Send, patience: float) -> _Record:
    before = {name: rules.counters(lab.rules(name)) for name in lab.ruled}
    lab.settle(quiet=0.02)  # the end of the send before has arrived (until_closed)
    lab.traced()
    if send.command:
        sock, seen = socket.socket(), _printed(lab.run(send.source, *send.command.split()))
    else:
        order, sender = _order(cluster, send), SENDERS[send.proto]
        sock, seen = lab.inside(cluster[send.source].name, lambda: sender(order, patience))
    raw = lab.settle()
    after = {name: rules.counters(lab.rules(name)) for name in lab.ruled}
    traced = lab.traced()
    tracked = {name: list(map(rules.connection, lab.connections(name))) for name in lab.ruled}
    moved = {name: rules.growth(before[name], after[name]) for name in lab.ruled}
    return _Record(sock, seen, raw, moved, traced, tracked)


def _printed(text: str) -> Seen:
    """What a command printed, without times: that is its outcome."""
    words = re.sub(r"[\d.]+ ms", "* ms", "\n".join(map(str.strip, text.splitlines())))
    words = re.sub(r" +", " ", words)
    return Seen(frozenset({words}), words)


def _counters(ns: Netns) -> list[rules.Counter]:
    return rules.counters(save(ns.ruleset, counters=True))


def _compare(
    cluster: Cluster, model: Cluster, send: Send, record: _Record, exchange: Exchange
) -> Checked:
    ports = Ports(_fixed_ports(cluster, send))
    repeats = exchange.elapsed >= 1.0
    captured = walks(frames_of(record.raw, model.network.names))
    found = compare.packets(captured, exchange.packets, ports)
    seen = record.seen
    differences = [
        *compare.outcome(seen.outcomes, seen.words, exchange.outcome, exchange.reason),
        *_compare_reply(seen, _reply(exchange), ports),
        *found.differences,
    ]
    ways = 0
    for name, moved in record.moved.items():
        ns = model[name]
        chains = {
            (table, chain.name): len(chain.rules)
            for table, chains in ns.ruleset.tables.items()
            for chain in chains.values()
        }
        traced, own = record.traced.get(name, ""), native.tables_of(ns)
        kernel_ways = native_rules.paths(traced, own) if own else rules.paths(traced, chains)
        passes = native_rules.passes if own else compare.passes
        model_ways = [way for trace in exchange.packets for way in passes(trace, name)]
        same, different = compare.paths(
            name, kernel_ways, model_ways, ports, repeats=repeats, at_once=bool(send.command)
        )
        ways += same
        grown = rules.growth(_counters(cluster[name]), _counters(ns))
        lines = map(str, ns.conntrack.connections(model.network.now))
        differences += different
        differences += compare.counts(name, moved, grown, tcp=send.proto == "tcp", repeats=repeats)
        differences += compare.connections(
            name, record.tracked[name], lines, ports, repeats=repeats
        )
    coincidence = ports.drawn(captured) < ports.drawn(exchange.packets)
    return Checked(
        send, exchange.outcome, found.packets, found.frames, ways, tuple(differences), coincidence
    )


def _send(cluster: Cluster, send: Send, endpoint: str | None) -> Exchange:
    if send.command:
        began = cluster.network.now
        printed = _printed(cluster[send.source].sh(send.command)).words
        took = cluster.network.now - began
        walked, names = cluster.network.last, cluster.network.names
        return Exchange(
            send.source, send.target, "", printed, "typed", walked, None, None, took, names
        )
    return cluster.send(
        send.source, send.target, send.port, proto=send.proto, sport=send.sport, df=send.df,
        endpoint=endpoint, ttl=send.ttl, payload=send.payload,
    )  # fmt: skip


def _order(cluster: Cluster, send: Send) -> Order:
    payload = send.payload if isinstance(send.payload, bytes) else b""
    dst = cluster.address_of(send.target)
    return Order(dst, send.port or 0, send.sport or 0, payload, send.ttl, send.df)


def _endpoint(tracked: dict[str, list[str]]) -> str | None:
    """Where the kernel's DNAT led: the one address that answers for another."""
    for lines in tracked.values():
        for line in lines:
            match = re.match(r"\w+ \| \S+>([\d.]+):\d+ \| ([\d.]+):\d+>", line)
            if match and match[1] != match[2]:
                return match[2]
    return None


def _fixed_ports(cluster: Cluster, send: Send) -> set[int]:
    """Ports that nobody draws: the sender's, every listener's, every port that a rule names."""
    fixed = {send.port or 0, send.sport or 0}
    for ns in cluster.network.netns.values():
        fixed |= {port for _, _, port in ns.listeners}
        for _, _, rule in ns.ruleset.rules():
            if isinstance(rule.target, Nat) and rule.target.ports:
                low, high = rule.target.ports
                fixed |= {low} if low == high else set()
    return fixed


def _reply(exchange: Exchange) -> bytes | None:
    """The bytes of the server's answer in the model; None if there was none."""
    if exchange.outcome != "delivered" or exchange.reply is None:
        return None
    answers = [t for t in exchange.packets if t.label == "TCP AP"]
    last = answers[-1] if answers else exchange.reply
    payload = last.last.packet.innermost.payload
    return payload if isinstance(payload, bytes) else None


def _compare_reply(seen: Seen, model: bytes | None, ports: Ports) -> list[str]:
    if "delivered" not in seen.outcomes or model is None or not seen.reply:
        return []
    kernel, ours = (ports.star(text.decode("latin-1")) for text in (seen.reply, model))
    return [] if kernel == ours else [f"the answer: kernel {kernel!r}, model {ours!r}"]


def _compare_rulesets(cluster: Cluster, lab: Lab) -> Iterable[str]:
    """The kernel prints the rules it was given as the model does."""
    for name in lab.ruled:
        kernel = [f"{c.table} {c.rule}" for c in rules.counters(lab.rules(name))]
        model = [f"{c.table} {c.rule}" for c in _counters(cluster[name])]
        for line in sorted(set(kernel) - set(model)):
            yield f"{name}: only iptables-save of the kernel prints {line}"
        for line in sorted(set(model) - set(kernel)):
            yield f"{name}: only the model prints {line}"
        tables = [table.full_name.split() for table in native.tables_of(cluster[name])]
        listed = [lab.run(name, "nft", "list", "table", *words) for words in tables]
        yield from native_rules.differences(cluster[name], listed)
