"""Prints, at the end of a run, how many conformance cases passed, and what was left out."""

from __future__ import annotations

import json
from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Adds up what the cases recorded (also across parallel workers), a line for each file."""
    cases: Counter[str] = Counter()
    asserted: Counter[str] = Counter()
    omitted: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for key, value in getattr(report, "user_properties", ()):
            if key == "conformance":
                stem, count, names = json.loads(value)
                cases[stem] += 1
                asserted[stem] += count
                omitted.update((stem, name) for name in names)
    if not cases:
        return
    terminalreporter.section("conformance with the real systems' own tests")
    for stem in sorted(cases):
        terminalreporter.write_line(f"{stem}: {cases[stem]} cases, {asserted[stem]} assertions")
    for (stem, name), count in sorted(omitted.items()):
        terminalreporter.write_line(f"{stem}: left out on purpose: {name} ({count} times)")
