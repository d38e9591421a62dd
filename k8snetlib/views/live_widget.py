"""What lives here: the live form of a control that asks Python, as an anywidget. Only
``prompt_widget`` and ``build_widget`` import this module.

The browser sends one message for each thing that is done, and gets back what is new since then
(``live.news``); only a page that knows nothing yet gets all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from k8snetlib.errors import K8sNetError
from k8snetlib.views.live import news


class AskingWidget(anywidget.AnyWidget):
    """The live form of ``control``. ``data`` in the browser is ``control.data`` and the ``answer``
    to the last message: a number ``n``, what it ``says``, and whether that is because the wish was
    ``refused``."""

    #: The value here means nothing: what is sent is worked out when somebody asks for it.
    data: Any = traitlets.Any().tag(sync=True, to_json=lambda _, widget: widget.whole())

    def __init__(self, control: Any) -> None:
        self.control = control
        self.answer: dict[str, Any] = {"n": 0, "says": "", "refused": False}
        self._known: dict[str, Any] = {}
        self._hearing = False
        super().__init__()
        self.on_msg(lambda _, content, __: self.hear(content))

    def whole(self) -> dict[str, Any]:
        """All there is to show now."""
        self._known = {**self.control.data, "answer": self.answer}
        return self._known

    def tell(self) -> None:
        """Shows what is new; while a message is being heard, that comes with the answer."""
        if self._hearing:
            return
        old = self._known
        new = news(old, self.whole())
        if new:
            self.send(new)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        self.tell()
        return super()._repr_mimebundle_(**options)

    def hear(self, message: Mapping[str, str]) -> None:
        """Does what was done in the browser, ``{"do": …}``, and answers. ``nothing`` is a nudge
        that wants no answer (see ``live.js``)."""
        if message["do"] == "nothing":
            return
        self._hearing = True
        try:
            said = {"says": "", "refused": False, **self.do(message)}
        except K8sNetError as error:
            said = {"says": str(error), "refused": True}
        finally:
            self._hearing = False
        self.answer = {"n": self.answer["n"] + 1, **said}
        self.tell()

    def do(self, message: Mapping[str, str]) -> dict[str, Any]:
        """Does it; what comes back goes into the answer. Raises ``K8sNetError`` for a refusal."""
        raise NotImplementedError
