"""What lives here: the targets of iptables, as typed values that print.

What a target does to a packet is in ``tables`` (verdicts, marks) and ``hooks`` (NAT, REJECT).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from k8snetlib.linux.netfilter.probe import quoted


class Verdict(NamedTuple):
    """``-j ACCEPT``, ``-j DROP`` or ``-j RETURN``."""

    word: str

    def __str__(self) -> str:
        return f"-j {self.word}"


class Jump(NamedTuple):
    """``-j CHAIN``, or ``-g CHAIN``, which does not come back here."""

    chain: str
    goto: bool = False

    def __str__(self) -> str:
        return f"{'-g' if self.goto else '-j'} {self.chain}"


class Reject(NamedTuple):
    """``-j REJECT --reject-with WHAT``: drop, and tell the sender."""

    what: str = "icmp-port-unreachable"

    def __str__(self) -> str:
        return f"-j REJECT --reject-with {self.what}"


class SetMark(NamedTuple):
    """``-j MARK --set-xmark VALUE/MASK``: mark = (mark without MASK's bits) xor VALUE."""

    value: int
    bits: int = 0xFFFFFFFF

    def __str__(self) -> str:
        return f"-j MARK --set-xmark {self.value:#x}/{self.bits:#x}"

    def apply(self, mark_: int) -> int:
        """The mark after this rule."""
        return (mark_ & ~self.bits & 0xFFFFFFFF) ^ self.value


class Nat(NamedTuple):
    """DNAT, SNAT, MASQUERADE or REDIRECT: the new address range (None: see the target) and port
    range (None: keep, if free)."""

    kind: str
    ips: tuple[str, str] | None = None
    ports: tuple[int, int] | None = None
    random: bool = False
    random_fully: bool = False
    persistent: bool = False

    def __str__(self) -> str:
        words = [f"-j {self.kind}"]
        ports = ""
        if self.ports:
            low, high = self.ports
            ports = str(low) if low == high else f"{low}-{high}"
        if self.kind in ("DNAT", "SNAT"):
            option = "--to-destination" if self.kind == "DNAT" else "--to-source"
            where = ""
            if self.ips:
                where = self.ips[0] if self.ips[0] == self.ips[1] else "-".join(self.ips)
            words.append(f"{option} {where}{':' + ports if ports else ''}")
        elif ports:
            words.append(f"--to-ports {ports}")
        words += ["--random"] * self.random + ["--random-fully"] * self.random_fully
        words += ["--persistent"] * self.persistent
        return " ".join(words)


class Log(NamedTuple):
    """``-j LOG``: writes a line to the kernel log and goes on."""

    prefix: str = ""
    level: int = 4

    def __str__(self) -> str:
        prefix = f" --log-prefix {quoted(self.prefix)}" if self.prefix else ""
        level = f" --log-level {self.level}" if self.level != 4 else ""
        return f"-j LOG{prefix}{level}"


Target: TypeAlias = Verdict | Jump | Reject | SetMark | Nat | Log


#: Protocols that iptables-save prints by name.
