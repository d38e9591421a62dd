"""What lives here: the builder as an anywidget. Only ``build.Builder`` imports this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from k8snetlib.views.live import script, style
from k8snetlib.views.live_widget import AskingWidget

if TYPE_CHECKING:
    from k8snetlib.views.build import Builder


class BuilderWidget(AskingWidget):
    """The live builder. An answer names the objects that were ``made``, too."""

    _esm = script("build")
    _css = style("builder")

    def do(self, message: Mapping[str, str]) -> dict[str, Any]:
        """``{"do": "pod", "name": …, "port": …, …}`` as the verbs of ``Parts`` take it,
        ``{"do": "remove", "what": …}`` or ``{"do": "reset"}``."""
        builder: Builder = self.control
        before = set(builder.objects)
        says = self._do(builder, message)
        return {"says": says, "made": [key for key in builder.objects if key not in before]}

    @staticmethod
    def _do(builder: Builder, message: Mapping[str, str]) -> str:
        fields = {key: value.strip() for key, value in message.items() if key != "do"}
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
