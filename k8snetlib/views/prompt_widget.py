"""What lives here: the prompt as an anywidget. Only ``prompt.Prompt`` imports this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from k8snetlib.views.live import script, style
from k8snetlib.views.live_widget import AskingWidget

if TYPE_CHECKING:
    from k8snetlib.views.prompt import Prompt


class PromptWidget(AskingWidget):
    """The live prompt."""

    _esm = script("prompt")
    _css = style("prompt")

    def __init__(self, console: Prompt) -> None:
        super().__init__(console)
        console.watch(self.tell)

    def do(self, message: Mapping[str, str]) -> dict[str, Any]:
        """``{"do": "run", "machine": …, "command": …}``, ``{"do": "clear"}`` or
        ``{"do": "reset"}``."""
        console: Prompt = self.control
        match message["do"]:
            case "run":
                console.run(message["command"], message["machine"])
            case "clear":
                console.clear()
            case _:
                console.reset()
        return {}
