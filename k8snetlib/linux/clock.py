"""What lives here: how daemons, journals and people write times: klog's line heads, Go's durations.

The model's clock starts at midnight of 1 January 2000, UTC.
"""

from __future__ import annotations

from k8snetlib.errors import K8sNetError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of the year 2000
_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def month_and_day(time: float) -> tuple[int, int]:
    """Month and day of a model time, both from 1; after a year it begins again."""
    day = int(time // 86400) % 366
    for month, days in enumerate(_MONTHS, 1):
        if day < days:
            return month, day + 1
        day -= days
    raise AssertionError("a day of the year 2000 is in one of its months")


def time_of_day(time: float) -> str:
    """``HH:MM:SS``"""
    second = int(time) % 86400
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def journal_time(time: float) -> str:
    """As journalctl begins a line: ``Jan 01 23:00:00``."""
    month, day = month_and_day(time)
    return f"{_NAMES[month - 1]} {day:02} {time_of_day(time)}"


def klog_head(level: str, time: float, pid: int, source: str) -> str:
    """As klog begins a line, without the number of the line in its source file."""
    month, day = month_and_day(time)
    micros = int(time % 1 * 1_000_000)
    return f"{level}{month:02}{day:02} {time_of_day(time)}.{micros:06} {pid:7} {source}]"


def go_time(time: float) -> str:
    """As Go prints a time: ``2000-01-02 00:00:00 +0000 UTC``."""
    month, day = month_and_day(time)
    year = 2000 + int(time // 86400) // 366
    return f"{year}-{month:02}-{day:02} {time_of_day(time)} +0000 UTC"


def go_duration(seconds: float) -> str:
    """As Go prints a duration.

    >>> go_duration(82800), go_duration(59.5), go_duration(-60)
    ('23h0m0s', '59.5s', '-1m0s')
    """
    if seconds < 0:
        return f"-{go_duration(-seconds)}"
    whole, rest = int(seconds), round(seconds % 1, 9)
    last = f"{whole % 60 + rest:.9f}".rstrip("0").rstrip(".")
    if whole >= 3600:
        return f"{whole // 3600}h{whole // 60 % 60}m{last}s"
    return f"{whole // 60}m{last}s" if whole >= 60 else f"{last}s"


def parse_seconds(time: str | float) -> float:
    """Seconds from ``"25h"``, ``"1h30m"``, ``"200ms"`` or a number; raises ``K8sNetError``."""
    if isinstance(time, int | float):
        return float(time)
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", time)
    if not parts or "".join(n + u for n, u in parts) != time.replace(" ", ""):
        raise K8sNetError(f"'{time}' is not a span of time.", "Write 25h, 90s, 1h30m or 200ms.")
    return sum(float(n) * _UNITS[u] for n, u in parts)
