"""What lives here: what a learner sees of an incident: the ticket, the causes to choose from, the
prompt, and the answer cell's text.

``console = incident("04.public_ip")`` shows the ticket and gives the prompt over the broken
cluster. ``console.answer("one-public-ip")`` prints the source of the answer cell: the commands that
change something, as text. It is pasted there, so that the notebook holds the answer.

An incident of no task (``incident("one-range")``, ``on_call(7)``) is judged by the console itself:
``console.check("one-docker0-range")``.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.course.exercise import Task, find_exercise
from k8snetlib.course.incidents.catalogue import FAULTS, fault
from k8snetlib.course.incidents.causes import CAUSES
from k8snetlib.course.incidents.items import Check, filled_in, incident_items, scene
from k8snetlib.course.incidents.repair import only_looks
from k8snetlib.course.judge import judge_task
from k8snetlib.course.notebook import first_line
from k8snetlib.course.page import card
from k8snetlib.course.plain import to_plain
from k8snetlib.course.report import Report
from k8snetlib.course.rubric import Item
from k8snetlib.errors import BadCommand, UnknownName, unknown_name
from k8snetlib.views.console import read_script
from k8snetlib.views.prompt import Prompt

#: In place of a task's id, where there is none.
PRACTICE = "practice"


class Ticket(NamedTuple):
    """What the user wrote, and the causes to choose from (id, in plain words)."""

    title: str
    text: str
    causes: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"Ticket: {self.title}", "", self.text, "", "Possible causes:"]
        width = max(len(cause) for cause, _ in self.causes)
        return "\n".join([*lines, *(f"  {c:<{width}}  {words}" for c, words in self.causes)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython has a printer of its own for tuples, and would prefer it to our text.
        printer.text(str(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        rows = "".join(
            f'<tr><th scope="row"><code>{escape(cause)}</code></th><td>{escape(words)}</td></tr>'
            for cause, words in self.causes
        )
        html = (
            f"<h3>Ticket: {escape(self.title)}</h3><p>{escape(self.text)}</p>"
            "<details><summary>Possible causes</summary><table><caption>It is one of these"
            '</caption><thead><tr><th scope="col">id</th><th scope="col">in words</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></details>"
        )
        return {"text/html": card(html, f"Ticket: {self.title}"), "text/plain": str(self)}


class Source(NamedTuple):
    """The source of an answer cell, to be copied."""

    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        html = (
            "<p>One click selects all of this. Copy it, and paste it over the answer cell:</p>"
            f'<pre tabindex="0" style="user-select: all">{escape(self.text)}</pre>'
        )
        return {"text/html": card(html, "Source of the answer cell"), "text/plain": self.text}


class Incident(Prompt):
    """The prompt over a broken cluster. Parameters: ``cluster`` is broken; ``ticket`` says what the
    user saw; ``items`` judge a repair; ``task_id`` and ``name`` are those of the answer (empty: it
    belongs to no task)."""

    def __init__(
        self, cluster: Cluster, ticket: Ticket, items: tuple[Item, ...],
        task_id: str = "", name: str = "",
    ) -> None:  # fmt: skip
        super().__init__(cluster, cluster.nodes[0])
        self.ticket, self.items = ticket, items
        self.task_id, self.name = task_id, name or "repair"

    def check(self, cause: str) -> Report:
        """Judges the cause and what was typed so far, for an incident that belongs to no task.

        Nothing is recorded. Raises ``BadCommand`` for a task's incident: its answer cell is what
        counts.
        """
        if self.task_id:
            raise BadCommand(
                f"This is the incident of {self.task_id}.",
                f'Paste .answer("{cause}") into its answer cell, then check("{self.task_id}").',
            )
        points = sum(item.points for item in self.items)
        task = Task(
            PRACTICE, self.ticket.title, "value", self.name, points, 0, "stretch", (), (),
            self.items,
        )  # fmt: skip
        told = {"status": "answered", "value": {"cause": cause, "script": self.script()}}
        return Report(PRACTICE, self.ticket.title, (judge_task(task, to_plain(told), 1),), 1)

    def answer(self, cause: str) -> Source:
        """The source of the answer cell: the cause, and the commands that changed something.

        Raises ``UnknownName`` for a cause that the ticket does not list.
        """
        known = dict(self.ticket.causes)
        if cause not in known:
            raise unknown_name("cause", cause, known)
        lines = [first_line(self.task_id)] if self.task_id else []
        lines += [f"{self.name} = {{", f'    "cause": "{cause}",']
        lines += [f'    "script": {_quoted(self._done)},', "}"]
        return Source("\n".join(lines))

    @property
    def _done(self) -> str:
        """The script without what only looked."""
        kept = [(m, c) for m, c in read_script(self.script()) if not only_looks(c)]
        return "\n".join(f"{m}$ {c}".replace("\n", "\n> ") for m, c in kept)


def _quoted(script: str) -> str:
    """A script as Python would read it again, with its lines as lines."""
    if not script:
        return repr(script)
    safe = script.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{safe}\n"""'


def incident(which: str, *, number: int = 1) -> Incident:
    """Shows a ticket, and returns the prompt over the broken cluster.

    Parameters: ``which`` is a task's id (``04.public_ip``), or a fault's; ``number`` is another
    incident of the same fault (a task has its own). Raises ``UnknownName``.
    """
    task_id = name = ""
    if which not in FAULTS:
        task_id, (which, number, name) = which, _of_task(which)
    shown, of = fault(which), scene(which, number)
    causes = tuple((cause, CAUSES[cause]) for cause in shown.offered)
    ticket = Ticket(filled_in(shown.title, of), filled_in(shown.ticket, of), causes)
    from k8snetlib.course.checking import show

    show(ticket)
    items = incident_items(PRACTICE, which, number=number)
    return Incident(of.broken.clone(), ticket, items, task_id, name)


def _of_task(task_id: str) -> tuple[str, int, str]:
    """Which incident a task shows: fault, number, and the name that holds the answer."""
    task = find_exercise(task_id).task(task_id)
    for item in task.items:
        if isinstance(item.check, Check):
            return item.check.fault_id, item.check.number, task.name
    raise UnknownName(f"{task_id} is no incident.", f"Or one of the faults: {', '.join(FAULTS)}.")
