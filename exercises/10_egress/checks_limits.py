"""The rubric of 10.limits: how many connections fit through ports, and into a table.

The model sends the same packets when the check runs; nothing here says what it will find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from k8snetlib import Cluster
from k8snetlib.course import forms
from k8snetlib.course.rubric import Findings, Item, fail
from k8snetlib.linux.conntrack import Tuple, port_class
from k8snetlib.packet import PROTO_TCP

PORTS, TRIES, ROOM = (40000, 40002), 5, 4


@lru_cache(maxsize=1)
def limits() -> dict[str, int]:
    """How many connections fit: in theory, through three ports, and into a small table."""
    made = Cluster.example("host-gw", flanneld="--ip-masq=false")
    made["client"].sh("ip route add 10.1.0.0/16 via 192.168.66.11")
    low, high = port_class(
        Tuple(PROTO_TCP, made.address_of("node1"), 40000, made.address_of("ext"), 80)
    )
    each = high - low + 1
    to = f"--to-ports {PORTS[0]}-{PORTS[1]}"
    made["node1"].sh(f"iptables -t nat -A POSTROUTING -o eth0 -p udp -j MASQUERADE {to}")
    full = Cluster.example("host-gw")
    full["node1"].sh(f"sysctl -w net.netfilter.nf_conntrack_max={ROOM}")
    pairs = [("ext", 53), ("client", 53)]
    return {
        "ports.one": each,
        "ports.two": 2 * each,
        "three.ext": _passed(made, "ext", 53),
        "three.client": _passed(made, "client", 53),
        "table.both": sum(_passed(full, *pair) for pair in pairs),
    }


def _passed(made: Cluster, target: str, port: int) -> int:
    """How many of web2's datagrams from different ports leave node1."""
    sent = [made.send("web2", target, port, sport=6000 + n) for n in range(TRIES)]
    return sum(one.outcome != "dropped" for one in sent)


def _numbers(answer: dict[str, Any], *paths: str) -> list[Any]:
    return [forms.whole(_plain(answer[path])) for path in paths]


def _plain(value: Any) -> Any:
    """A number written with commas, spaces or dots between its thousands."""
    return re.sub(r"(?<=\d)[,._ ](?=\d{3}\b)", "", value) if isinstance(value, str) else value


_NODE_WIDE = (
    "You seem to think that the ports are for the whole node. "
    "Towards another destination the same ports are free."
)


def check_ports(answer: dict[str, Any], seed: int) -> Findings:
    """How many ports there are."""
    one, two = _numbers(answer, "ports.one", "ports.two")
    right = limits()["ports.one"], limits()["ports.two"]
    if (one, two) == right:
        return ()
    if one == two:
        return fail(_NODE_WIDE, "PORTS_64K")
    if one in (65535, 65536):
        text = (
            "You seem to count all ports there are. "
            "The kernel leaves the privileged ones to privileged sources."
        )
        return fail(text, "ALL_PORTS")
    if one in (right[0] - 1, right[0] - 2):
        text = "You seem to leave out an end of the range. Its first and its last port both count."
        return fail(text, "ENDS_OUT")
    if one in (28231, 28232, 28233):
        text = (
            "You seem to count the ports that a process gets for its own sockets. "
            "A translation has a range of its own."
        )
        return fail(text, "EPHEMERAL")
    return fail("From which port to which does the kernel pick? The lesson has the number.")


def check_three(answer: dict[str, Any], seed: int) -> Findings:
    """Three ports, two destinations."""
    said = _numbers(answer, "three.ext", "three.client")
    right = [limits()["three.ext"], limits()["three.client"]]
    if said == right:
        return ()
    if said == [right[0], 0]:
        return fail(_NODE_WIDE, "PORTS_64K")
    if said == [TRIES, TRIES]:
        text = (
            "You seem to think that one port may serve two connections to one destination. "
            "Their answers would look alike."
        )
        return fail(text, "SHARED_PORT")
    if said == [right[0] - 1, right[1] - 1]:
        text = (
            "You seem to leave out the last port. "
            "--to-ports names the first and the last one that may be given."
        )
        return fail(text, "ENDS_OUT")
    return fail("How many answers of one destination can be told apart with three ports?")


def check_table(answer: dict[str, Any], seed: int) -> Findings:
    """A small table, two destinations."""
    (said,) = _numbers(answer, "table.both")
    right = limits()["table.both"]
    if said == right:
        return ()
    if said == 2 * ROOM:
        text = (
            "You seem to think that the table has room for each destination. "
            "Its limit holds for the whole node."
        )
        return fail(text, "TABLE_PER_DEST")
    if said == 2 * TRIES:
        text = (
            "You seem to think that a full table only keeps no more notes. "
            "What it cannot note down is dropped."
        )
        return fail(text, "TABLE_NOTES")
    return fail("Every flow takes one place in the table. How many places are there?")


ITEMS = (
    Item("10.limits.ports", 2, "How many ports", check_ports, ("ports.one", "ports.two")),
    Item("10.limits.three", 2, "Three ports", check_three, ("three.ext", "three.client")),
    Item("10.limits.table", 1, "A small table", check_table, ("table.both",)),
)  # fmt: skip
