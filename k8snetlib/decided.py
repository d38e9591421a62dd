"""What lives here: what rules decided about a packet, in a few lines: the answer before the story.

Which address became which, where, and by which rules; who refused or dropped it, and by which rule;
whom the receiver sees. What no rule decided (routes, bridges, tunnels) is the story's business.

What may not live here: the walk itself (see ``story``).
"""

from __future__ import annotations

from collections.abc import Iterator

from k8snetlib.packet import Packet, Tcp, Udp
from k8snetlib.stages import is_hook
from k8snetlib.trace import Exchange, Names, Step, Trace, rule_line
from k8snetlib.words import annotate


def decided(exchange: Exchange) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What was decided about the request and its answer: a sentence each, and the rules for it.

    Nothing comes if no rule changed or stopped either of them.
    """
    request, reply, names = exchange.request, exchange.reply, exchange.names
    found = list(_of(request, names)) if request is not None else []
    yield from found
    if reply is not None and reply is not request:
        for text, rules in _of(reply, names, " on the way back"):
            again = "" if rules else "; no rule is asked, the connection remembers"
            yield text + again, rules
    if found and request is not None and request.last.verdict == "deliver":
        packet = request.last.packet
        source = annotate(f"{packet.ip.src}{port_of(packet, 'sport')}", names)
        yield f"{request.end} sees {source}", ()


def _of(trace: Trace, names: Names, way: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    for hop in trace.hops:
        for step in hop.steps:
            if not is_hook(step.stage):
                continue
            stopped = step.verdict in ("drop", "error")
            # The rule itself, which the reason of a stop ends with, stands below.
            what = step.reason.partition(": -")[0] if stopped else _translation(step)
            if what:
                where = f"{hop.netns}{way}, {step.stage}: "
                rules = tuple(rule_line(rule) for rule in step.rules)
                said = what.removeprefix(step.stage).lstrip(": ")
                yield where + annotate(said, names), rules


def _translation(step: Step) -> str:
    if step.before is None or step.before.ip is step.packet.ip:
        return ""
    words = nat_words(step)
    return "" if words == QUOTED else words


#: What translation does to an ICMP error: not its own addresses count.
QUOTED = "the quoted packet is translated back"


def nat_words(step: Step) -> str:
    """What address translation did: ``source 10.1.15.2:40004 becomes 10.1.15.0:40004``."""
    assert step.before is not None
    was, now = step.before.ip, step.packet.ip
    for end, port in (("src", "sport"), ("dst", "dport")):
        then = getattr(was, end) + port_of(step.before, port)
        turned = getattr(now, end) + port_of(step.packet, port)
        if then != turned:
            return f"{'source' if end == 'src' else 'destination'} {then} becomes {turned}"
    return QUOTED


def port_of(packet: Packet, which: str) -> str:
    """``:80``, the port of a TCP segment or UDP datagram (``sport`` or ``dport``); else nothing."""
    transport = packet.transport
    return f":{getattr(transport, which)}" if isinstance(transport, Tcp | Udp) else ""
