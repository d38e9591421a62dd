"""What lives here: how kubectl writes ages, times, tables and labels.

Source: k8s.io/apimachinery's pkg/util/duration, k8s.io/cli-runtime's printers, Go's text/tabwriter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from k8snetlib.linux.clock import month_and_day, time_of_day

_DAYS = ("Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri")  # 1 January 2000 was a Saturday
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def age(seconds: float) -> str:
    """An age as kubectl writes it: its larger units only.

    >>> age(5), age(150), age(3600 * 5), age(86400 * 3 + 7200)
    ('5s', '2m30s', '5h', '3d2h')
    """
    whole = max(0, int(seconds))
    minutes, hours = whole // 60, whole // 3600
    days = hours // 24
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 365 * 8 else f"{days // 365}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"


def rfc3339(time: float) -> str:
    """A time of the model's clock as objects carry it: ``2000-01-01T00:00:00Z``."""
    month, day = month_and_day(time)
    year = 2000 + int(time // 86400) // 366
    return f"{year}-{month:02}-{day:02}T{time_of_day(time)}Z"


def rfc1123(time: float) -> str:
    """A time as ``describe`` writes it: ``Sat, 01 Jan 2000 00:00:00 +0000``."""
    month, day = month_and_day(time)
    year = 2000 + int(time // 86400) // 366
    name = _DAYS[int(time // 86400) % 7]
    return f"{name}, {day:02} {_MONTHS[month - 1]} {year} {time_of_day(time)} +0000"


def table(rows: Iterable[Sequence[str]], *, padding: int = 3, least: int = 6) -> str:
    """Columns as ``kubectl get`` prints them: three blanks between them (``describe``: two), each
    at least six wide."""
    lines = [list(row) for row in rows]
    columns = zip(*lines, strict=True)
    widths = [max(least, *(len(cell) + padding for cell in column)) for column in columns]
    return "\n".join(
        "".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def described(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values as ``describe`` prints them: two blanks behind the longest name. A value of
    several lines stands with one line below the other."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs) + 2
    lines = []
    for name, value in pairs:
        for at, line in enumerate(value.split("\n")):
            lines.append(f"{'' if at else name:{width}}{line}".rstrip())
    return "\n".join(lines)


def pairs_text(labels: Mapping[str, str], between: str = ",") -> str:
    """``app=web,tier=front``, sorted; ``<none>`` without any."""
    return between.join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"
