"""What lives here: ``prompt``, a console in a notebook: choose a machine, type, see what it prints.

In a notebook a ``Prompt`` is a widget (``prompt.js``, which decides nothing); where there are no
widgets it shows its log so far, as text and as HTML. What it prints is text and stays text: it is
never read as HTML.

The browser gets the last ``SHOWN`` characters of the log; all of it is in ``log``.

What may not live here: what a command does (see ``console``).
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from k8snetlib.cluster import Cluster
from k8snetlib.views.console import Console
from k8snetlib.views.live import Live
from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css

#: How many characters of the log the browser shows at most.
SHOWN = 60_000

_STILL_STYLE = (
    f".k8snet-log{{font-family:{FONT};color:var(--k-ink);background:var(--k-ground);"
    "border:1px solid var(--k-hairline);border-radius:10px;padding:6px 12px;max-width:1240px;"
    "box-sizing:border-box}"
    ".k8snet-log pre{max-height:26em;overflow:auto;margin:6px 0;padding:6px 8px;border-radius:6px;"
    "background:var(--k-card);color:var(--k-ink);font-size:13px;line-height:1.4}"
)


class Prompt(Live, Console):
    """A console that shows itself. ``log`` is everything typed: (machine, command, output, …)."""

    def __repr__(self) -> str:
        return self.text() or self._invitation

    @property
    def _invitation(self) -> str:
        others = ", ".join(name for names in self.machines.values() for name in names)
        return f"A prompt on {self.machine}; nothing was typed yet. Machines: {others}."

    @property
    def html(self) -> str:
        """The log so far as one piece of HTML, without a widget."""
        log = self.text()
        body = (
            f'<pre tabindex="0" role="group" aria-label="The log">{escape(log)}</pre>'
            if log
            else f"<p>{escape(self._invitation)}</p>"
        )
        style = f"<style>{theme_css()}{_STILL_STYLE}</style>"
        return f'<div class="k8snet k8snet-log">{style}{body}</div>'

    @property
    def data(self) -> dict[str, Any]:
        """What the browser shows; every value is ready for JSON::

        {"machines": [["Nodes", ["node1", …]], …], "machine": "node1",
         "entries": [{"n": 4, "machine": "node1", "command": "ip route", "output": "…",
                      "refused": false, "hint": "", "fresh": false}],
         "earlier": 2,          how many commands of the log are not among the entries
         "cut": false,          whether the last output was too long to be shown as a whole
         "restored": false,     whether the cluster was put back since the last command
         "history": ["ip route", …],
         "script": ["node1$ …", …], "values": ["    {…},\\n", …]}    both line by line

        ``n`` counts all commands from 0; ``fresh`` marks the first one after a reset.
        """
        shown, room = list(self.log), SHOWN
        for at in range(len(self.log) - 1, -1, -1):
            room -= len(self.log[at].output) + len(self.log[at].command)
            if room < 0:
                shown = list(self.log[at + 1 :]) or [self.log[-1]]
                break
        earlier = len(self.log) - len(shown)
        entries = [
            {
                "n": self.first + at,
                **typed._replace(output=typed.output[:SHOWN])._asdict(),
                "fresh": at > 0 and at == self.stale,
            }
            for at, typed in enumerate(shown, earlier)
        ]
        return {
            "machines": [[group, list(names)] for group, names in self.machines.items()],
            "machine": self.machine,
            "entries": entries,
            "earlier": earlier,
            "cut": bool(shown) and len(shown[-1].output) > SHOWN,
            "restored": 0 < self.stale == len(self.log),
            "history": list(self.history[-200:]),
            "script": self.script().splitlines(),
            "values": [f"    {json.dumps(one, ensure_ascii=False)},\n" for one in self.commands],
        }

    def _make_widget(self) -> Any:
        from k8snetlib.views.prompt_widget import PromptWidget

        return PromptWidget(self)

    def _still(self) -> dict[str, Any]:
        return {"text/html": self.html, "text/plain": repr(self)}


def prompt(cluster: Cluster, machine: str = "") -> Prompt:
    """A prompt at the machines of ``cluster``, which it changes: for looking, and for repairing.

    Parameters: ``machine`` is where it begins, by any name people use (empty: the first one).
    Raises ``UnknownName``. What was typed is in ``log``; ``script()`` gives it as a script and
    ``replay`` types one again; ``reset()`` puts the cluster back.

    >>> console = prompt(Cluster.example(), "web1")
    >>> console.run("hostname -I")
    '10.1.15.3'
    """
    return Prompt(cluster, machine or (*cluster.nodes, *cluster.network.netns)[0])
