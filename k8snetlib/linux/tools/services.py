"""What lives here: the names of ports, as /etc/services has them where the course meets the ports.

Tools print a name where nobody said ``-n``, and iptables takes one instead of a number.

Simplified here: these few of the file's hundreds, so that every machine prints the same.
"""

from __future__ import annotations

_BOTH = ("tcp", "udp")
_NAMES: dict[int, tuple[str, tuple[str, ...]]] = {
    9: ("discard", _BOTH),
    22: ("ssh", ("tcp",)),
    25: ("smtp", ("tcp",)),
    53: ("domain", _BOTH),
    67: ("bootps", ("udp",)),
    68: ("bootpc", ("udp",)),
    80: ("http", ("tcp",)),
    123: ("ntp", ("udp",)),
    179: ("bgp", ("tcp",)),
    443: ("https", _BOTH),
    8080: ("http-alt", ("tcp",)),
}


def service_name(port: int, proto: str) -> str:
    """The name of a port of tcp or udp; the number as text if it has none."""
    name, protos = _NAMES.get(port, ("", ()))
    return name if proto in protos else str(port)


def service_port(name: str) -> int | None:
    """The port that a name means, or None."""
    return next((port for port, (known, _) in _NAMES.items() if known == name), None)
