"""What lives here: ``tcpdump``: the packets of the last walk, as one device saw them.

The real one listens and waits; here nothing moves while you type, so this one shows what the *last*
walk in the network (``Cluster.send``, ``ping``, ``curl``, ``traceroute`` …) left on a device.

Simplified here: the filter is a chain of simple words joined by ``and``; times are the model's,
where a hop takes none; a payload is never decoded but for the first line of an HTTP request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.address import is_ip, parse_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux.tools.dumped import Dumper
from k8snetlib.linux.tools.services import service_port
from k8snetlib.linux.tools.words import Words
from k8snetlib.packet import PROTO_ICMP, PROTO_TCP, PROTO_UDP, Packet, Tcp, Udp
from k8snetlib.trace import Frame

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

Test = Callable[[Packet], bool]

_HERE = (
    "-i DEV|any, -n, -e, -t, -c N, and a filter: arp, icmp, tcp, udp, [src|dst] host IP, "
    "[src|dst] port N"
)


class Options(NamedTuple):
    """What was asked for; ``most`` 0: all."""

    device: str
    numeric: bool = False
    link: bool = False
    timeless: bool = False
    most: int = 0
    words: tuple[str, ...] = ()


def run(ns: Netns, words: list[str]) -> str:
    """``tcpdump -i DEV [-n] [-e] [-t] [-c N] [FILTER]``"""
    options = _options(words)
    device = options.device
    if device != "any" and device not in ns.devices:
        raise BadCommand(
            f"tcpdump: {device}: No such device exists", f"{ns.name} has {', '.join(ns.devices)}."
        )
    test = _filter(list(options.words))
    network = ns.network
    frames = [f for trace in network.last for f in trace.frames] if network else []
    here = [f for f in frames if f.netns == ns.name and device in (f.device, "any")]
    seen = [f for f in sorted(here, key=lambda f: f.time) if test(f.packet)]
    dumper = Dumper(numeric=options.numeric, link=options.link)
    shown = seen[: options.most or len(seen)]
    return "\n".join(_line(dumper, frame, options) for frame in shown)


def _line(dumper: Dumper, frame: Frame, options: Options) -> str:
    text = dumper.text(frame.packet)
    if options.device == "any":
        text = f"{frame.device:5} {'In ' if frame.direction == 'in' else 'Out'} {text}"
    if options.timeless:
        return text
    whole, micro = divmod(round(frame.time * 1_000_000), 1_000_000)
    clock = f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}.{micro:06}"
    return f"{clock} {text}"


def _options(words: list[str]) -> Options:
    line, options = Words(words), Options("")
    rest: list[str] = []
    while line:
        word = line.next()
        if word in ("-i", "--interface"):
            options = options._replace(device=line.value(word))
        elif word in ("-c", "--count"):
            count = line.value(word)
            if not count.isdigit() or not int(count):
                raise BadCommand(f"tcpdump: invalid packet count {count}", "A number above 0.")
            options = options._replace(most=int(count))
        elif word.startswith("-") and len(word) > 1:
            for letter in word[1:]:
                if letter == "i" and word.endswith("i"):
                    options = options._replace(device=line.value("-i"))
                elif letter not in "nelt":
                    raise BadCommand(f"tcpdump: '-{letter}' is not modelled.", f"Here: {_HERE}.")
            options = options._replace(
                numeric=options.numeric or "n" in word,
                link=options.link or "e" in word,
                timeless=options.timeless or "t" in word,
            )
        else:
            rest.append(word)
    if not options.device:
        raise BadCommand("tcpdump: say which device: tcpdump -i DEV", f"Here: {_HERE}.")
    return options._replace(words=tuple(rest))


# -- the filter -----------------------------------------------------------------------------------


def _filter(words: list[str]) -> Test:
    """``tcp and dst port 80 and not host 10.1.15.2`` as one test."""
    tests: list[Test] = []
    while words:
        word = words.pop(0)
        if word in ("and", "&&"):
            continue
        negated = word in ("not", "!")
        if negated:
            word = words.pop(0) if words else ""
        test = _primitive(word, words)
        tests.append(_negated(test) if negated else test)
    return lambda packet: all(test(packet) for test in tests)


def _negated(test: Test) -> Test:
    return lambda packet: not test(packet)


def _primitive(word: str, words: list[str]) -> Test:
    protos = {"icmp": PROTO_ICMP, "tcp": PROTO_TCP, "udp": PROTO_UDP}
    if word in protos:
        number = protos[word]
        if words[:1] == ["port"] or words[:2] in (["src", "port"], ["dst", "port"]):
            inner = _primitive(words.pop(0), words)
            return lambda packet: _proto(packet) == number and inner(packet)
        return lambda packet: _proto(packet) == number
    if word == "arp":
        return lambda packet: packet.arp is not None
    if word == "ip":
        return lambda packet: packet.arp is None
    side = ""
    if word in ("src", "dst"):
        side = word
        word = words.pop(0) if words else ""
        if is_ip(word):
            words.insert(0, word)
            word = "host"
    if word == "host" and words and is_ip(words[0]):
        address = parse_ip(words.pop(0))
        return lambda packet: address in _ends(packet, side)
    if word == "port" and words:
        text = words.pop(0)
        port = int(text) if text.isdigit() else service_port(text)
        if port is not None:
            return lambda packet: port in _ports(packet, side)
    raise BadCommand("tcpdump: can't parse filter expression: syntax error", f"Here: {_HERE}.")


def _proto(packet: Packet) -> int:
    return packet.ip.proto if packet.arp is None else 0


def _ends(packet: Packet, side: str) -> tuple[str, ...]:
    arp = packet.arp
    ends = (arp.sender_ip, arp.target_ip) if arp else (packet.ip.src, packet.ip.dst)
    return ends if not side else ends[:1] if side == "src" else ends[1:]


def _ports(packet: Packet, side: str) -> tuple[int, ...]:
    transport = None if packet.arp else packet.transport
    if not isinstance(transport, Tcp | Udp):
        return ()
    ends = (transport.sport, transport.dport)
    return ends if not side else ends[:1] if side == "src" else ends[1:]
