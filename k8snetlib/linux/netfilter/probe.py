"""What lives here: a packet at a hook, as a rule sees it; and how rule text quotes and negates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from k8snetlib.address import number
from k8snetlib.packet import IPv4

if TYPE_CHECKING:
    from k8snetlib.linux.chance import Dice
    from k8snetlib.linux.conntrack import Connection
    from k8snetlib.linux.netns import Netns
    from k8snetlib.packet import Packet

Test: TypeAlias = "Callable[[Probe], bool]"


class Probe:
    """One packet at one hook, as a rule sees it.

    ``src`` and ``dst`` are its addresses as numbers; ``in_dev`` and ``out_dev`` are device names
    ("" where the hook has none); ``physin`` and ``physout`` are the bridge's ports, for bridged
    packets; ``state`` is conntrack's word for the packet; ``dice`` are what balances load;
    ``pinned`` is the endpoint address that they must lead to, if somebody fixed it; ``now`` is in
    seconds.
    """

    __slots__ = (
        "conn", "dice", "dst", "evaluated", "in_dev", "ip", "l4", "mark", "now", "ns", "out_dev",
        "packet", "physin", "physout", "pinned", "size", "src", "state",
    )  # fmt: skip

    def __init__(
        self, ns: Netns, packet: Packet, in_dev: str, out_dev: str, mark: int, now: float,
        dice: Dice,
    ) -> None:  # fmt: skip
        headers = packet.headers
        ip = headers[0]
        assert type(ip) is IPv4
        self.ns, self.packet, self.in_dev, self.out_dev = ns, packet, in_dev, out_dev
        self.mark, self.now, self.dice = mark, now, dice
        self.size = packet.length
        self.ip: IPv4 = ip
        self.src, self.dst = number(ip.src), number(ip.dst)
        self.l4: Any = headers[1] if len(headers) > 1 else None
        self.physin = self.physout = ""
        self.state = ""
        self.conn: Connection | None = None
        self.pinned: str | None = None
        self.evaluated = 0


def no(negated: bool) -> str:
    """``! `` in front of what is negated."""
    return "! " if negated else ""


def quoted(text: str) -> str:
    """A string as iptables-save prints it: bare if it is letters, digits, ``-`` and ``_`` alone."""
    if text and all(c.isascii() and (c.isalnum() or c in "-_") for c in text):
        return text
    escaped = "".join("\\" + c if c in "\"\\'" else c for c in text)
    return f'"{escaped}"'
