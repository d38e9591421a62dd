"""Writes docs/flannel-failures.md: how flannel fails, from the failures as they are played.

python tools/failures.py          writes the page
python tools/failures.py --check  exit status 1 if the page is stale

The failures stand in tests/flannel/failures; every cell and every printed line is what the model
did when this tool ran.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ISSUES = "https://github.com/flannel-io/flannel/issues"
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.flannel.failures.run import (  # noqa: E402
    BACKENDS,
    FATES,
    TALKS,
    Failure,
    Moment,
    Run,
    Said,
    played,
)
from tests.flannel.failures.table import ASKED, FAILURES  # noqa: E402

PAGE = ROOT / "docs" / "flannel-failures.md"
#: Of a longer text only the lines that matter are shown.
SHORT = 6
#: The ways between the pods of different nodes.
WAYS = [f"{one}→{other}" for one in (1, 2, 3) for other in (1, 2, 3) if one != other]
#: From harmless to hopeless.
ORDER = list(FATES)

HEAD = """\
# How flannel fails: who can talk to whom, and when

Each row is a failure that people meet. Each section says what causes it, what one sees, by which
commands, and what mends it. Nothing here is an opinion: `python tools/failures.py` plays every
failure in [the example cluster](manifests.md) with each backend, sends a ping and a transfer of
3,000 bytes between the pods, and writes down what happened. `tests/flannel/test_failures.py` says
what should have happened, `tests/kernel/test_failures.py` sends the same packets through a real
Linux kernel, and [lesson 06](../notebooks/06_flannel_etcd.ipynb) plays some of them.

Three nodes: pods web1 and web2 on node1 (10.1.15.0/24), backend and backend-b on node2
(10.1.20.0/24), backend-c on node3 (10.1.30.0/24). flannel keeps its leases in etcd, for 24 hours.
"""


def page(run_of: Callable[[Failure, str], Run] = played) -> str:
    """The whole page; ``run_of`` plays a failure with a backend."""
    lines = [HEAD, *_legend(), *_overview(run_of)]
    for number, failure in enumerate(FAILURES, 1):
        runs = {backend: run_of(failure, backend) for backend in failure.backends}
        lines += _section(number, failure, runs)
    lines += _left_out()
    return "\n".join(lines) + "\n"


def _legend() -> Iterator[str]:
    yield "| mark | meaning |"
    yield "|---|---|"
    for mark, meaning in FATES.items():
        yield f"| {mark} | {meaning} |"
    yield ""


# -- the overview ---------------------------------------------------------------------------------


def _overview(run_of: Callable[[Failure, str], Run]) -> Iterator[str]:
    yield "## All failures"
    yield ""
    yield "When it is worst, and how many of the six ways between the nodes' pods are hurt then."
    yield ""
    yield f"| failure | {' | '.join(BACKENDS)} |"
    yield "|---|---|---|---|"
    for number, failure in enumerate(FAILURES, 1):
        cells = [
            _worst(run_of(failure, backend)) if backend in failure.backends else "–"
            for backend in BACKENDS
        ]
        yield f"| [{number}. {failure.title}](#{failure.key}) | {' | '.join(cells)} |"
    yield ""


def _worst(run: Run) -> str:
    """The first of the worst moments in a few words; "✔" if all is well all the time."""
    broken = _broken(run)
    if not broken:
        return TALKS
    worst = max(broken, key=_hurt)
    fates = {column: fate for column, fate in worst.measured.items() if fate != TALKS}
    ways = [fate for column, fate in fates.items() if column in WAYS]
    marks = ", ".join(sorted(set(ways), key=ORDER.index))
    more = "".join(f"; {column}" for column in fates if column not in WAYS and "→" not in column)
    return f"{worst.when}: {len(ways)} of {len(WAYS)} ({marks}){more}"


def _broken(run: Run) -> list[Moment]:
    """The moments at which something is wrong, up to the first repair."""
    found = []
    for one in run.story:
        if isinstance(one, Said) and one.kind == "repair":
            break
        if isinstance(one, Moment) and not one.sound:
            found.append(one)
    return found


def _hurt(moment: Moment) -> int:
    return sum(fate != TALKS for fate in moment.measured.values())


# -- a section ------------------------------------------------------------------------------------


def _section(number: int, failure: Failure, runs: dict[str, Run]) -> Iterator[str]:
    yield f'<a id="{failure.key}"></a>'
    yield ""
    yield f"## {number}. {failure.title}"
    yield ""
    yield f"**Cause.** {failure.cause}"
    yield ""
    yield f"**Symptom.** {failure.symptom}"
    yield ""
    asked = [f"[{issue}]({ISSUES}/{issue})" for issue in ASKED.get(failure.key, ())]
    if asked:
        yield f"**Met by others.** flannel's issues: {', '.join(asked)}."
        yield ""
    yield from _moments(runs)
    if failure.elsewhere:
        yield failure.elsewhere
        yield ""
    shown = "vxlan" if "vxlan" in runs else failure.backends[0]
    seen, mended = _halves(runs[shown])
    yield f"**What breaks it** ({shown}):"
    yield from _block(runs[shown].said("break"))
    yield f"**What shows it** ({shown}):"
    yield from _block(seen)
    typed = {_kind(one) for one in seen}
    for backend, run in runs.items():
        other = [one for one in _halves(run)[0] if _kind(one) not in typed]
        if other:
            yield f"With {backend} also:"
            yield from _block(other)
    yield f"**Repair.** {failure.repair}"
    yield from _block(mended)


def _kind(said: Said) -> tuple[str, str, bool]:
    """Looks that differ in nothing but a number are one and the same."""
    return said.host, re.sub(r"\d+", "N", said.command), bool(said.wanted)


def _halves(run: Run) -> tuple[list[Said], list[Said]]:
    """What was looked at before the first repair; the repairs, and what was looked at then."""
    said = [one for one in run.story if isinstance(one, Said) and one.kind != "break"]
    first = [one.kind for one in said].index("repair")
    return said[:first], said[first:]


def _moments(runs: dict[str, Run]) -> Iterator[str]:
    """The table: a row for each moment and each group of backends that fared alike."""
    columns: list[str] = []
    rows: dict[str, dict[tuple[str, ...], list[str]]] = {when: {} for when in _whens(runs)}
    whys: dict[str, list[str]] = {}
    for backend, run in runs.items():
        columns = list(run.pairs)
        for moment in run.moments:
            cells = tuple(moment.measured.get(column, "") for column in columns)
            rows[moment.when].setdefault(cells, []).append(backend)
        for why in _reasons(run):
            whys.setdefault(why, []).append(backend)
    yield f"| when | backend | {' | '.join(columns)} |"
    yield "|---" * (2 + len(columns)) + "|"
    for when, groups in rows.items():
        for cells, backends in groups.items():
            named = "all" if len(backends) == len(runs) > 1 else ", ".join(backends)
            yield f"| {when} | {named} | {' | '.join(cells)} |"
    yield ""
    for why, backends in whys.items():
        yield f"- {', '.join(backends)}: {why}"
    if whys:
        yield ""


def _whens(runs: dict[str, Run]) -> list[str]:
    """The moments of all runs, each after the one that it followed."""
    order: list[str] = []
    for run in runs.values():
        at = 0
        for moment in run.moments:
            if moment.when not in order:
                order.insert(at, moment.when)
            at = order.index(moment.when) + 1
    return order


def _reasons(run: Run) -> Iterator[str]:
    """Why, in the model's words: at the worst moment, one pair of each fate."""
    broken = _broken(run)
    if not broken:
        return
    worst = max(broken, key=_hurt)
    told: set[str] = set()
    for column, fate in worst.measured.items():
        reason = worst.reasons[column]
        if reason and fate not in told:
            told.add(fate)
            yield f"{column} {fate}: {reason}"


def _block(said: list[Said]) -> Iterator[str]:
    yield ""
    yield "```console"
    for one in said:
        yield f"{one.host}# {one.command}" if one.host else one.command
        yield from _excerpt(one)
    yield "```"
    yield ""


def _excerpt(said: Said) -> Iterator[str]:
    """What was printed, or of a longer text the lines that show it."""
    lines = said.printed.splitlines()
    if len(lines) > SHORT and said.wanted:
        kept = [line for line in lines if any(text in line for text in said.wanted)]
        yield from ("…", *kept[-SHORT:], "…")
    else:
        yield from lines
    if said.never:
        yield f"# {said.never} is not there"


def _left_out() -> Iterator[str]:
    yield "## What stands behind this"
    yield ""
    yield (
        "What flanneld does is taken from flannel's own source (subnet manager, backends, "
        "iptables), at version 0.28; ADR [9](adr/0009-daemons-and-time.md) says how daemons and "
        "time are modelled. "
        "What the model leaves out stands in [simplifications](simplifications.md)."
    )


def main() -> int:
    """Writes or checks the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text() == text
        print("docs/flannel-failures.md is " + ("fresh" if fresh else "stale: run this tool"))
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
