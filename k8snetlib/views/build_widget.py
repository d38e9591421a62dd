"""What lives here: the cluster builder as an anywidget. Only ``build.Builder`` imports this module.

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
    from k8snetlib.views.build import Builder


class BuilderWidget(anywidget.AnyWidget):
    """The live builder. ``data`` is what ``Builder.data`` says; ``answer`` what became of the last
    wish: ``says``, whether it was ``refused``, the object that it ``made``, and a number ``n``."""

    _esm = files("k8snetlib.views").joinpath("build.js").read_text(encoding="utf-8")
    _css = style("builder")
    data: Any = traitlets.Dict().tag(sync=True)
    answer: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        super().__init__(data=builder.data, answer={"n": 0, "says": "", "refused": False})
        self.on_msg(lambda _, content, __: self.hear(content))

    def look(self) -> None:
        """Shows what there is now."""
        self.data = self.builder.data

    def hear(self, message: Mapping[str, str]) -> None:
        """Does what was done in the browser: ``{"do": "pod", "name": …, "port": …, …}`` as the
        verbs of ``Parts`` take it, ``{"do": "remove", "what": …}`` or ``{"do": "reset"}``."""
        before = {key for key, _ in self.data["objects"]}
        says, refused = "", True
        with self.hold_sync():
            try:
                says, refused = self._do(message), False
                self.look()
            except K8sNetError as error:
                says = str(error)
            finally:
                made = [key for key, _ in self.data["objects"] if key not in before]
                n = self.answer["n"] + 1
                self.answer = {"n": n, "says": says, "refused": refused, "made": made}

    def _do(self, message: Mapping[str, str]) -> str:
        builder, fields = self.builder, {k: v.strip() for k, v in message.items() if k != "do"}
        match message["do"]:
            case "node":
                return builder.add_node(fields["name"])
            case "pod":
                return builder.add_pod(
                    fields["name"], fields["port"], fields["node"], fields["labels"]
                )
            case "service":
                return builder.add_service(
                    fields["name"], fields["selector"], fields["port"], fields["target_port"],
                    fields["type"],
                )  # fmt: skip
            case "remove":
                return builder.remove(fields["what"])
            case _:
                return builder.reset()
