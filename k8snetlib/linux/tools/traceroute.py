"""What lives here: ``traceroute``, with the output of traceroute 2.1 (Debian's).

Probes go out one after another, each with a TTL one higher than the hop before, until the target
itself answers. By default they are UDP datagrams to ports 33434, 33435 …, where nobody listens.

Simplified here: IPv4 only; of the hops no names are asked for; one probe under way at a time (the
real one has 16); a TCP probe that is answered completes its handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from k8snetlib.errors import BadCommand
from k8snetlib.linux.exchange import send
from k8snetlib.linux.network import Network
from k8snetlib.linux.tools.names import look_up
from k8snetlib.linux.tools.words import Words
from k8snetlib.packet import FRAG_NEEDED, UNREACHABLE, Icmp, IPv4
from k8snetlib.trace import Exchange, Trace

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

#: The first port that is tried, and the length of a probe as a whole, in bytes.
FIRST_PORT, LENGTH = 33434, 60
_PROTO = {"-I": "icmp", "--icmp": "icmp", "-T": "tcp", "--tcp": "tcp", "-U": "udp", "--udp": "udp"}
_NUMBERS = {
    "-m": "most", "--max-hops": "most", "-q": "queries", "--queries": "queries", "-w": "wait",
    "--wait": "wait", "-p": "port", "--port": "port", "-f": "first", "--first": "first",
    "-N": "at_once", "--sim-queries": "at_once",
}  # fmt: skip
_HERE = "-n, -q N, -w SECONDS, -m HOPS, -f TTL, -p PORT, -F, -I, -U, -T"
#: What is printed behind the time for an ICMP unreachable, by its code.
_MARKS = {0: " !N", 1: " !H", 2: " !P", 3: "", 9: " !X", 10: " !X", 13: " !X"}


class Options(NamedTuple):
    """What was asked for; ``wait`` in seconds; ``port`` 0: the default of the protocol."""

    dst: str
    proto: str = ""
    numeric: bool = False
    df: bool = False
    most: int = 30
    queries: int = 3
    wait: float = 5.0
    port: int = 0
    first: int = 1


class Answer(NamedTuple):
    """What came of one probe: who answered ("": nobody), after how many ms, and a remark."""

    who: str = ""
    took: float = 0.0
    mark: str = ""
    final: bool = False


#: Probes under way at once, as the real tool's -N has it by default.
AT_ONCE = 16


def run(ns: Netns, words: list[str]) -> str:
    """``traceroute [-n] [-q N] [-w S] [-m HOPS] [-f TTL] [-F] [-I|-U|-T] [-p PORT] ADDRESS``"""
    options = _options(words)
    network = ns.network
    assert network is not None, "a namespace outside of a network has no way to trace"
    found = look_up(ns, options.dst, "{}: Name or service not known")
    if not found.ip:
        return f"{options.dst}: {found.problem}"
    name, dst = options.dst, found.ip
    options = options._replace(dst=dst)
    title = f"traceroute to {name} ({dst}), {options.most} hops max, {LENGTH} byte packets"
    if not ns.is_local(dst) and ns.routes.lookup(dst) is None:
        return f"{title}\nconnect: Network is unreachable"
    lines, walked = [title], list[Trace]()
    for ttl in range(options.first, options.most + 1):
        answers = []
        for query in range(options.queries):
            number = (ttl - options.first) * options.queries + query
            exchange = _probe(network, ns, options, ttl, number)
            walked += exchange.packets
            answers.append(_answer(exchange))
        lines.append(_hop(ttl, answers, options.numeric))
        if any(answer.final for answer in answers):
            walked += _already_sent(network, ns, options, ttl)
            break
    network.last = tuple(trace._replace(n=n) for n, trace in enumerate(walked))
    return "\n".join(lines)


def _already_sent(network: Network, ns: Netns, options: Options, ttl: int) -> list[Trace]:
    """The real tool keeps 16 probes under way: those behind the last hop have left already."""
    sent = (ttl + 1 - options.first) * options.queries
    every = (options.most + 1 - options.first) * options.queries
    found: list[Trace] = []
    for number in range(sent, min(AT_ONCE, every)):
        beyond = options.first + number // options.queries
        found += _probe(network, ns, options, beyond, number).packets
    return found


def _options(words: list[str]) -> Options:
    line, options = Words(words), Options("")
    numbers: dict[str, str] = {}
    while line:
        word = line.next()
        name, assign, value = word.partition("=")
        if word in _PROTO:
            options = options._replace(proto=_PROTO[word])
        elif word == "-n":
            options = options._replace(numeric=True)
        elif word in ("-F", "--dont-fragment"):
            options = options._replace(df=True)
        elif name in _NUMBERS:
            numbers[_NUMBERS[name]] = value if assign else line.next() if line else ""
        elif word[:2] in _NUMBERS and not word.startswith("--"):
            numbers[_NUMBERS[word[:2]]] = word[2:]
        elif word.startswith("-") and word != "-4":
            raise BadCommand(f"traceroute: '{word}' is not modelled.", f"Here: {_HERE}.")
        elif not word.startswith("-"):
            if options.dst:
                raise BadCommand(f"traceroute: the packet length '{word}' is not modelled.",
                                 f"Probes are {LENGTH} bytes long.")  # fmt: skip
            options = options._replace(dst=word)
    if not options.dst:
        raise BadCommand("Usage: traceroute [options] host", f"Here: {_HERE}.")
    return _numbers(options, numbers)


def _numbers(options: Options, given: dict[str, str]) -> Options:
    limits = {"most": (1, 255), "queries": (1, 10), "wait": (0, 3600), "port": (1, 65535),
              "first": (1, 255), "at_once": (1, 10_000)}  # fmt: skip
    for name, text in given.items():
        try:
            value = float(text.partition(",")[0])
        except ValueError:
            raise BadCommand(f"traceroute: '{text}' is no number.", f"Here: {_HERE}.") from None
        low, high = limits[name]
        if not low <= value <= high:
            raise BadCommand(f"traceroute: {text} is out of range.", f"Allowed: {low} to {high}.")
        if name == "wait":
            options = options._replace(wait=value)
        elif name != "at_once":
            options = Options(**{**options._asdict(), name: int(value)})
    if options.first > options.most:
        raise BadCommand("first hop out of range", f"At most {options.most} hops are asked for.")
    return options


def _probe(network: Network, ns: Netns, options: Options, ttl: int, number: int) -> Exchange:
    """One packet with this TTL; ``number`` counts all of them from 0."""
    proto = options.proto or "udp"
    port = None
    if proto == "tcp":
        port = options.port or 80
    elif options.proto == "udp":
        port = options.port or 53
    elif proto == "udp":
        port = (options.port or FIRST_PORT) + number
    return send(
        network, ns, options.dst, port, proto=proto, ttl=ttl, df=options.df, patience=options.wait,
        payload=0 if proto == "tcp" else LENGTH - 28,
    )  # fmt: skip


def _answer(exchange: Exchange) -> Answer:
    if exchange.outcome == "too-big" and exchange.reply is None:
        return Answer(mark=" !F")
    if exchange.reply is None:
        return Answer()
    packet = exchange.reply.last.packet
    ip, message = cast(IPv4, packet.headers[0]), packet.headers[1]
    took = exchange.elapsed * 1000
    if exchange.outcome == "ttl-exceeded":
        return Answer(ip.src, took)
    mark = ""
    if type(message) is Icmp and message.type == UNREACHABLE:
        if message.code == FRAG_NEEDED:
            mark = f" !F-{message.mtu}"
        else:
            mark = _MARKS.get(message.code, f" !<{message.code}>")
    return Answer(ip.src, took, mark, final=True)


def _hop(ttl: int, answers: list[Answer], numeric: bool) -> str:
    text, before = f"{ttl:2} ", ""
    for answer in answers:
        if not answer.who:
            text += f" {answer.mark.strip() or '*'}"
            continue
        if answer.who != before:
            text += f" {answer.who}" + ("" if numeric else f" ({answer.who})")
        before = answer.who
        text += f"  {answer.took:.3f} ms{answer.mark}"
    return text
