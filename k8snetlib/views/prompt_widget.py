"""What lives here: the prompt as an anywidget. Only ``prompt.Prompt`` imports this module.

The browser sends one message for each thing that is done, and gets ``data`` back.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from k8snetlib.errors import K8sNetError
from k8snetlib.views.live import style

if TYPE_CHECKING:
    from k8snetlib.views.prompt import Prompt


class PromptWidget(anywidget.AnyWidget):
    """The live prompt. ``data`` is what ``Prompt.data`` says; ``says`` is what could not be done;
    ``answered`` counts the messages, so that the browser knows that its own was heard."""

    _esm = files("k8snetlib.views").joinpath("prompt.js").read_text(encoding="utf-8")
    _css = style("prompt")
    data: Any = traitlets.Dict().tag(sync=True)
    says: Any = traitlets.Unicode().tag(sync=True)
    answered: Any = traitlets.Int().tag(sync=True)

    def __init__(self, console: Prompt) -> None:
        self.console = console
        super().__init__(data=console.data)
        self.on_msg(lambda _, content, __: self.hear(content))
        console.watch(self.look)

    def look(self) -> None:
        """Shows what there is now."""
        self.data = self.console.data

    def hear(self, message: Mapping[str, Any]) -> None:
        """Does what was done in the browser: ``{"do": "run", "machine": …, "command": …}``,
        ``{"do": "clear"}`` or ``{"do": "reset"}``."""
        console, says = self.console, ""
        with self.hold_sync():
            try:
                if message["do"] == "run":
                    console.run(str(message["command"]), str(message["machine"]))
                elif message["do"] == "clear":
                    console.clear()
                elif message["do"] == "reset":
                    console.reset()
            except K8sNetError as error:
                says = str(error)
                self.look()
            finally:
                self.says = says
                self.answered += 1
