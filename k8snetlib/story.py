"""What lives here: a walk told in plain text, complete without a notebook.

``print(exchange)`` shows: who sent what to whom and how it ended; all packets in a table; the
request's walk step by step, with the reason of each decision and the headers where they change; the
reply's walk in a line for each host. Of the firewall rules that matched it tells the one that
decided; with ``rules`` all of them, in order. No colour, at most ``WIDTH`` columns.

What may not live here: decisions, pictures (see ``views``). Everything is read from the ``Trace``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap as _wrap
from typing import Any

from k8snetlib.decided import decided, nat_words, port_of
from k8snetlib.packet import Arp, Ethernet, Header, IPv4, Packet, Tcp, Udp, Vxlan
from k8snetlib.stages import is_hook
from k8snetlib.trace import NO_NAMES, Exchange, Hop, Names, Step, Trace, rule_line
from k8snetlib.words import annotate

WIDTH = 100

_MARKS = {"pass": " ", "deliver": "✓", "park": "…", "ignore": "·", "error": "✗", "drop": "✗"}
_TCP_WORDS = {"S": "SYN", "SA": "SYN/ACK", "A": "ACK", "AP": "data", "R": "reset", "AR": "reset",
              "FA": "FIN", "AF": "FIN"}  # fmt: skip


def wrap(text: str, width: int, **options: str) -> list[str]:
    """Lines of at most ``width`` columns, which is at least 20; names with a hyphen stay whole."""
    return _wrap(text, max(width, 20), break_on_hyphens=False, **options)  # type: ignore[arg-type]


def _unheard(step: Step) -> str:
    """A drop is silent: say so, unless the reason does."""
    silent = step.verdict == "drop" and "without a word" not in step.why
    return "; nobody is told" if silent else ""


# -- one exchange ---------------------------------------------------------------------------------


def exchange_story(exchange: Exchange, *, rules: bool = False) -> str:
    """The whole story of an exchange: headline, packets, the request's walk, the reply's walk.

    With ``rules`` it begins with what rules decided; the reply's walk is told step by step too,
    with every rule that matched, and those that the other packets met stand below.
    """
    parts = [_headline(exchange), ""]
    parts += _decisions(exchange) if rules else ()
    parts += _packet_table(exchange)
    request, reply = exchange.request, exchange.reply
    if request is not None:
        parts += ["", *_title(f"The request: packet {request.n}, {_title_of(request)}"), ""]
        parts += _walk(request, exchange.names, exchange.packets, rules)
    if reply is not None and reply is not request:
        parts += ["", *_title(f"The answer: packet {reply.n}, {_title_of(reply)}"), ""]
        parts += _walk(reply, exchange.names, (), rules) if rules else _short_walk(reply)
    elif request is not None:
        parts += ["", "No answer came back."]
    parts += _rules_of_others(exchange) if rules else ()
    return "\n".join(line.rstrip() for line in parts)


def trace_story(trace: Trace) -> str:
    """One packet's walk, step by step."""
    names = trace.frames[0].names if trace.frames else NO_NAMES
    title = _title(f"Packet {trace.n}, {_title_of(trace)}")
    return "\n".join(line.rstrip() for line in [*title, "", *_walk(trace, names, ())])


def _headline(exchange: Exchange) -> str:
    names, target = exchange.names, exchange.target
    first = exchange.request
    packet = first.steps[0].packet if first and first.steps else None
    transport = packet.transport if packet else None
    port = f" port {transport.dport}" if isinstance(transport, Tcp | Udp) else ""
    what = f"{exchange.source} → {names.ip(target)}{port}, {exchange.proto.upper()}"
    span = f", after {_seconds(exchange.elapsed)}" if exchange.elapsed else ""
    told = {names.ips[target]} if target in names.ips else set()
    reason = annotate(exchange.reason, names, told)
    lines = wrap(f"{what}: {exchange.outcome}{span} ({reason})", WIDTH)
    return "\n".join([*lines, "═" * max(map(len, lines))])


def _decisions(exchange: Exchange) -> Iterator[str]:
    """What rules decided, with these rules: the short answer."""
    found = list(decided(exchange))
    if not found:
        return
    yield "Decided by rules:"
    for text, rules in found:
        yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
        for rule in rules:
            yield from wrap(rule, WIDTH, initial_indent="      ", subsequent_indent="        ")
    yield ""


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def _title(text: str) -> list[str]:
    return [*wrap(text, WIDTH), "─" * min(len(text), WIDTH)]


def _title_of(trace: Trace) -> str:
    first = trace.steps[0].packet
    names = trace.frames[0].names if trace.frames else NO_NAMES
    return f"{_words_of(trace)}: {_ends_of(first, names)}"


def _words_of(trace: Trace) -> str:
    """A label with what its letters mean: ``TCP S (SYN)``."""
    kind, _, letters = trace.label.partition(" ")
    word = _TCP_WORDS.get(letters) if kind == "TCP" else None
    return f"{trace.label} ({word})" if word else trace.label


def _ends_of(packet: Packet, names: Names) -> str:
    """Who sends to whom, by the innermost addresses."""
    inner = packet.innermost
    head = inner.headers[0]
    if type(head) is Arp:
        to = "everybody" if head.op == 1 else names.mac(head.target_mac)
        return f"{names.mac(head.sender_mac)} → {to}"
    assert type(head) is IPv4
    source = _end(head.src, port_of(inner, "sport"), names)
    return f"{source} → {_end(head.dst, port_of(inner, 'dport'), names)}"


def _end(ip: str, port: str, names: Names) -> str:
    owner = names.ips.get(ip)
    return f"{ip}{port}" + (f" ({owner})" if owner else "")


# -- the table of packets -------------------------------------------------------------------------


def _packet_table(exchange: Exchange) -> list[str]:
    rows = [("", "packet", "from", "where it ended")]
    rows += [_row(exchange, trace) for trace in exchange.packets]
    if len(rows) == 1:
        return ["No packet left."]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = []
    for n, label, who, end in rows:
        start = f"{n:>{widths[0]}}  {label:<{widths[1]}}  {who:<{widths[2]}}  "
        more = wrap(end, WIDTH - len(start)) or [""]
        lines.append(start + more[0])
        lines += [" " * len(start) + line for line in more[1:]]
    lines.insert(1, "─" * max(map(len, lines)))
    return lines


def _row(exchange: Exchange, trace: Trace) -> tuple[str, str, str, str]:
    label = _arp_words(trace) or _words_of(trace)
    if trace.n == exchange.request_at:
        label += ", the request"
    elif trace.n == exchange.reply_at:
        label += ", the answer"
    return str(trace.n), label, trace.hops[0].netns, _end_words(exchange, trace)


def _arp_words(trace: Trace) -> str:
    head = trace.steps[0].packet.innermost.headers[0]
    if type(head) is not Arp:
        return ""
    if head.op == 1:
        return f"ARP: who has {head.target_ip}?"
    return f"ARP: {head.sender_ip} is at {head.sender_mac}"


def _end_words(exchange: Exchange, trace: Trace) -> str:
    last = trace.last
    arp = type(trace.steps[0].packet.innermost.headers[0]) is Arp
    if last.verdict == "deliver":
        asked = arp and trace.label.startswith("ARP who-has")
        return f"{trace.end}, which answers" if asked else trace.end
    if arp and last.verdict == "ignore":
        return "nowhere: nobody has that address"
    owner = {trace.end}
    return f"{trace.end}: {annotate(last.reason, exchange.names, owner)}"


# -- a walk, step by step -------------------------------------------------------------------------


def _walk(
    trace: Trace, names: Names, packets: Sequence[Trace], rules: bool = False
) -> Iterator[str]:
    """The hops as headings, the steps below them, numbered through."""
    number, before, link = 0, None, None
    digits = len(str(len(trace.steps)))
    column = max(10, *(len(step.stage) for step in trace.steps))
    for at, hop in enumerate(trace.hops):
        yield from [""] if at else []
        yield f"{hop.netns} ({f'came in on {hop.device}' if hop.device else 'it begins here'})"
        for step in hop.steps:
            number += 1
            start = f"  {number:>{digits}} {_MARKS[step.verdict]} {step.stage:<{column}} "
            yield from _step(step, start, hop, names, rules)
            indent = " " * (digits + column + 7)
            told = [*_changes(before, step, link, names)]
            if step.verdict == "park":
                told.append(_arp_told(step, hop, packets))
            for line in told:
                yield from wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
            before, link = step.packet, step.packet.ethernet or link


def _step(step: Step, head: str, hop: Hop, names: Names, rules: bool) -> list[str]:
    known = {hop.netns, *(f"{hop.netns} {port}" for port in _devices(hop))}
    deciding = "" if rules else _deciding(step)
    text = annotate(_said(step), names, known) + _unheard(step)
    shown = [rule_words(rule) for rule in step.rules] if rules else []
    if deciding.startswith("policy"):
        text += f" ({deciding})"
    elif deciding:
        many = f"rule (last of {len(step.rules)})" if len(step.rules) > 1 else "rule"
        shown = [many + deciding.removeprefix("rule")]
    room = WIDTH - len(head)
    told = [line for rule in shown for line in wrap(rule, room, subsequent_indent="  ")]
    lines = wrap(text, room) or [""]
    return [head + lines[0], *(" " * len(head) + line for line in [*lines[1:], *told])]


def _deciding(step: Step) -> str:
    """The rule (or policy) that decided, always the last that matched; "" if the reason says it."""
    said = step.by is not None and str(step.by) in step.reason
    return rule_words(step.rules[-1]) if step.rules and not said else ""


def rule_words(rule: Any) -> str:
    """``rule: -A CHAIN …``, or ``policy of CHAIN: DROP`` where no rule decided."""
    line = rule_line(rule)
    return f"policy of {line[1:].replace(' ', ': ')}" if line.startswith(":") else f"rule: {line}"


def _said(step: Step) -> str:
    """The reason; the name of its box, which stands before it, is not said twice."""
    reason = step.reason
    named = is_hook(step.stage) or step.stage == "conntrack"
    if named and reason.startswith(step.stage):
        return reason[len(step.stage) :].lstrip(": ")
    return reason


def _rules_of_others(exchange: Exchange) -> Iterator[str]:
    """The rules that packets met whose walks are not told, a line each."""
    yield ""
    told = (exchange.request_at, exchange.reply_at)
    others = [
        f"  packet {trace.n}, {hop.netns}, {step.stage}: {rule_words(rule)}"
        for trace in exchange.packets
        for hop in trace.hops
        for step in hop.steps
        for rule in step.rules
        if trace.n not in told
    ]
    if others:
        yield "Rules that the other packets met, in order:"
        for line in others:
            yield from wrap(line, WIDTH, subsequent_indent="      ")
    elif any(step.rules for trace in exchange.packets for step in trace.steps):
        yield "The other packets met no rule."
    else:
        yield "No packet met a firewall rule."


def _devices(hop: Hop) -> set[str]:
    return {step.device for step in hop.steps if step.device}


def _arp_told(step: Step, hop: Hop, packets: Sequence[Trace]) -> str:
    """What happened while a packet waited for a MAC address."""
    wanted = str(step.args[0]) if step.args else ""
    asked, answered = [], []
    for trace in packets:
        head = trace.steps[0].packet.innermost.headers[0]
        if type(head) is not Arp:
            continue
        if head.op == 1 and head.target_ip == wanted and trace.hops[0].netns == hop.netns:
            asked.append(trace)
        elif head.op == 2 and head.sender_ip == wanted and trace.end == hop.netns:
            answered.append(trace)
    if not asked:
        return ""
    numbers = [str(trace.n) for trace in [*asked, *answered]]
    listed = " and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))
    told = f"≈ ARP (packet{'s' if len(numbers) > 1 else ''} {listed}): {hop.netns} asks everybody"
    told += f" 'who has {wanted}?'"
    if not answered:
        return f"{told}{f' {len(asked)} times' if len(asked) > 1 else ''}, and nobody answers"
    return f"{told}, {answered[0].hops[0].netns} answers; now the packet can go on"


# -- what changed in the headers ------------------------------------------------------------------


def _changes(
    before: Packet | None, step: Step, link: Ethernet | None, names: Names
) -> Iterator[str]:
    """The headers that this step put on, took off or rewrote, a line each.

    ``link`` is the last link header that was there: putting the same one on again (a bridge takes
    it off for netfilter) is no news, and neither is taking one off.
    """
    if before is None:
        return
    old, new = before.headers, step.packet.headers
    same = 0
    while same < min(len(old), len(new)) and type(old[-1 - same]) is type(new[-1 - same]):
        same += 1
    taken, put = old[: len(old) - same], new[: len(new) - same]
    if taken and type(taken[-1]) is not Ethernet:
        yield f"− {_outer(taken, names)}"
    if put and put != (link,):
        yield f"+ {_outer(put, names)}"
    for was, now in zip(old[len(taken) :], new[len(put) :], strict=True):
        yield from _rewritten(was, now, step, names)


def _outer(headers: tuple[Header, ...], names: Names) -> str:
    words = []
    for header in headers:
        match header:
            case IPv4(src=src, dst=dst, ttl=ttl):
                words.append(f"IPv4 {src} → {dst} TTL {ttl}")
            case Udp(sport=sport, dport=dport):
                words.append(f"UDP {sport} → {dport}")
            case Vxlan(vni=vni):
                words.append(f"VXLAN {vni}")
            case Ethernet(src=src, dst=dst):
                words.append(f"Ethernet {names.mac(src)} → {names.mac(dst)}")
            case _:
                words.append(type(header).__name__)
    return ", ".join(words)


def _rewritten(was: Header, now: Header, step: Step, names: Names) -> Iterator[str]:
    if type(was) is Ethernet and type(now) is Ethernet:
        if was != now:
            yield f"+ {_outer((now,), names)}"
    elif type(was) is IPv4 and type(now) is IPv4:
        if (was.src, was.dst) != (now.src, now.dst):
            yield f"~ IPv4 {was.src} → {was.dst} becomes {now.src} → {now.dst}"
        if was.ttl != now.ttl and "TTL" not in step.why:
            yield f"~ TTL {was.ttl} becomes {now.ttl}"
    elif isinstance(was, Tcp | Udp) and isinstance(now, Tcp | Udp):
        if (was.sport, was.dport) != (now.sport, now.dport):
            yield f"~ ports {was.sport} → {was.dport} become {now.sport} → {now.dport}"


# -- a walk in short ------------------------------------------------------------------------------


def _short_walk(trace: Trace) -> Iterator[str]:
    """One line for each host: where in, what mattered, where out."""
    width = max(len(hop.netns) for hop in trace.hops)
    for hop in trace.hops:
        head = f"  {hop.netns:<{width}}  "
        text = "; ".join(dict.fromkeys(_in_short(hop)))
        lines = wrap(text, WIDTH - len(head)) or [""]
        yield head + lines[0]
        yield from (" " * len(head) + line for line in lines[1:])


def _in_short(hop: Hop) -> Iterator[str]:
    if hop.device:
        yield f"in by {hop.device}"
    out = [step.device for step in hop.steps if (step.stage, step.verdict) == ("transmit", "pass")]
    for step in hop.steps:
        if step.verdict == "ignore":
            continue
        if step.verdict != "pass":
            yield step.reason + _unheard(step)
        elif step.stage in ("socket", "icmp") and not hop.device:
            yield step.reason
        elif step.stage == "route" and step.by is not None:
            # Who made the route, and which source it prefers, does not matter for a passer-by.
            yield f"route '{str(step.by).partition(' proto ')[0]}'"
        elif step.stage.startswith("nat ") and step.before is not None:
            yield nat_words(step)
        elif step.stage == "forward":
            yield _ttl_words(step)
        elif step.stage == "vxlan":
            wraps = step.before is not None and len(step.packet.headers) > len(step.before.headers)
            yield f"{step.device} {'wraps' if wraps else 'unwraps'} it"
        elif step.stage == "flanneld":
            wraps = step.before is not None and len(step.packet.headers) > len(step.before.headers)
            yield f"flanneld {'wraps' if wraps else 'unwraps'} it, {_ttl_words(step)}"
        elif step.stage == "transmit":
            yield f"out by {' → '.join(out)}"


def _ttl_words(step: Step) -> str:
    was = _inner_ttl(step.before) if step.before else None
    return f"TTL {was} becomes {_inner_ttl(step.packet)}"


def _inner_ttl(packet: Packet) -> int | None:
    head = packet.innermost.headers[0]
    return head.ttl if type(head) is IPv4 else None
