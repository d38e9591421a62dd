"""What lives here: ``systemctl`` and ``journalctl``: a machine's daemons, and what they wrote.

    systemctl { status | start | stop | restart | is-active } UNIT …
    journalctl -u UNIT [-n LINES] [-r] [-o cat]

Simplified here: no ``--follow``, no times to search by; ``status`` prints what matters here (no
memory, no tasks), and the journal's last ten lines. Source: systemctl(1), journalctl(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.linux.clock import go_time, journal_time
from k8snetlib.linux.service import ACTIVATING, ACTIVE, FAILED, Line, Service
from k8snetlib.linux.tools.words import Words, number_of

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

VERBS = ("status", "start", "stop", "restart", "is-active")
_DAYS = ("Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri")  # 1 January 2000 was a Saturday


def run(ns: Netns, words: list[str]) -> str:
    """``systemctl VERB UNIT …``"""
    rest = [word for word in words if word not in ("--no-pager", "-l", "--full", "-q", "--now")]
    if not rest or rest[0] not in VERBS:
        verb = rest[0] if rest else ""
        raise BadCommand(f"Unknown command verb '{verb}'.", f"Here: {', '.join(VERBS)}.")
    verb, units = rest[0], rest[1:]
    if not units:
        raise BadCommand("Too few arguments.", f"systemctl {verb} UNIT; here: {_units(ns)}.")
    services = [_service(ns, unit, verb) for unit in units]
    if verb == "status":
        return "\n\n".join(_status(service) for service in services)
    if verb == "is-active":
        return "\n".join(service.state for service in services)
    for service in services:
        {"start": service.start, "stop": service.stop, "restart": service.restart}[verb]()
    return ""


def journal(ns: Netns, words: list[str]) -> str:
    """``journalctl -u UNIT``"""
    line, unit, last, style, backwards = Words(words), "", 0, "short", False
    while line:
        word = line.next()
        if word in ("-u", "--unit"):
            unit = line.value(word)
        elif word.startswith("--unit="):
            unit = word.partition("=")[2]
        elif word in ("-n", "--lines"):
            last = number_of(line.value(word), "lines")
        elif word in ("-o", "--output"):
            style = line.value(word)
        elif word in ("-r", "--reverse"):
            backwards = True
        elif word not in ("--no-pager", "-x", "-e", "-xe"):
            raise BadCommand(f"journalctl: '{word}' is not modelled.", "Here: -u, -n, -r, -o cat.")
    if style not in ("short", "cat"):
        raise BadCommand(f"journalctl: -o {style} is not modelled.", "Here: short, cat.")
    if not unit:
        raise BadCommand("journalctl: say whose lines.", f"journalctl -u UNIT: {_units(ns)}.")
    lines = list(_service(ns, unit, "show").journal)[-last:]
    if backwards:
        lines.reverse()
    shown = [entry.message if style == "cat" else _entry(ns, entry) for entry in lines]
    return "\n".join(shown) or "-- No entries --"


def _entry(ns: Netns, entry: Line) -> str:
    return f"{journal_time(entry.time)} {ns.name} {entry.writer}[{entry.pid}]: {entry.message}"


def _units(ns: Netns) -> str:
    return ", ".join(ns.services) or "no unit"


def _service(ns: Netns, unit: str, verb: str) -> Service:
    name = unit.removesuffix(".service")
    if name in ns.services:
        return ns.services[name]
    near = nearest(name, list(ns.services), 1)
    hint = f"Did you mean {near[0]}?" if near else f"Here: {_units(ns)}."
    if verb in ("status", "show", "is-active"):
        raise BadCommand(f"Unit {name}.service could not be found.", hint)
    raise BadCommand(f"Failed to {verb} {name}.service: Unit {name}.service not found.", hint)


def _status(service: Service) -> str:
    dot = {ACTIVE: "●", ACTIVATING: "●", FAILED: "×"}.get(service.state, "○")
    how = {ACTIVE: "running", ACTIVATING: "auto-restart", FAILED: "Result: exit-code"}
    when = _DAYS[int(service.since // 86400) % 7] + " " + go_time(service.since).split(" +")[0]
    state = f"{service.state} ({how.get(service.state, 'dead')})"
    ended = service.state == ACTIVATING and service.exit_status
    state += " (Result: exit-code)" if ended else ""
    unit = f"{service.unit}.service"
    lines = [
        f"{dot} {unit} - {service.description}",
        f"     Loaded: loaded (/etc/systemd/system/{unit}; enabled; preset: enabled)",
        f"     Active: {state} since {when} UTC; {_span(service.now - service.since)} ago",
    ]
    if service.state == ACTIVE:
        lines.append(f"   Main PID: {service.pid} ({service.unit})")
    last = list(service.journal)[-10:]
    if last:
        lines += ["", *(_entry(service.ns, entry) for entry in last)]
    return "\n".join(lines)


def _span(seconds: float) -> str:
    """As systemd prints a span: its two largest units."""
    left, found = int(seconds), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            count, left = divmod(left, size)
            many = " day" if count == 1 else " days"
            found.append(f"{count}{many if unit == 'd' else unit}")
    return " ".join(found[:2]) or "0s"
