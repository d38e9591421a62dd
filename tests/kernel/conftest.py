"""Prints, at the end of a run, how much of the model was compared with the kernel."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Adds up what the tests recorded (also across parallel workers) and says it in one line."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in (r for r in reports if getattr(r, "when", "") == "call"):
            for key, value in getattr(report, "user_properties", ()):
                if str(key).startswith("kernel "):
                    total[str(key).removeprefix("kernel ")] += value
    if total:
        said = ", ".join(f"{number} {what}" for what, number in total.items())
        terminalreporter.write_line(f"model against kernel: {said}")
