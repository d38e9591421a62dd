"""What lives here: prediction cards. Choose before you see; the course answers the belief.

A card is data (``cards/NN.toml``): a question, its choices, and for every choice a reaction that
speaks to the belief behind it. In a notebook it shows as a group of buttons; the reaction is
announced politely to screen readers. Where no widgets run (GitHub, a PDF) the question and its
choices stand as text. Whether the right choice is right is a test's business
(``tests/course/test_cards.py`` asks the model).
"""

from __future__ import annotations

import tomllib
from functools import cache
from html import escape
from importlib import resources
from typing import Any, NamedTuple

from k8snetlib.errors import BadManifest, unknown_name


class Choice(NamedTuple):
    """One possible answer; ``belief`` is the id of the wrong belief behind it ("" if none)."""

    text: str
    reaction: str
    right: bool = False
    belief: str = ""


class Card(NamedTuple):
    """A question to answer before the walk is shown."""

    id: str
    question: str
    choices: tuple[Choice, ...]

    @property
    def text(self) -> str:
        """The card in words."""
        lines = [f"Predict: {self.question}"]
        lines += [f"  ( ) {choice.text}" for choice in self.choices]
        return "\n".join(lines)


@cache
def cards() -> dict[str, Card]:
    """All cards of the course, by id. Raises ``BadManifest`` for a card without a right choice."""
    found: dict[str, Card] = {}
    folder = resources.files("k8snetlib.course").joinpath("cards")
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not path.name.endswith(".toml"):
            continue
        for card_id, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
            choices = tuple(Choice(**choice) for choice in fields["choice"])
            if sum(choice.right for choice in choices) != 1:
                raise BadManifest(f"{path.name}: card {card_id} needs exactly one right choice.")
            found[card_id] = Card(card_id, fields["question"], choices)
    return found


def card(card_id: str) -> Card:
    """The card of that id; raises ``UnknownName`` with the nearest ids."""
    try:
        return cards()[card_id]
    except KeyError:
        raise unknown_name("prediction card", card_id, cards()) from None


def predict(card_id: str) -> Any:
    """Shows a prediction card: ``predict("04-next-mac")``. Raises ``UnknownName``.

    Returns a widget, or, where ipywidgets is not installed, something that displays as text.
    """
    chosen = card(card_id)
    try:
        import ipywidgets
    except ImportError:
        return _Static(chosen)
    return _widget(ipywidgets, chosen)


class _Static:
    """A card where no widgets run."""

    def __init__(self, shown: Card) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown.text

    def _repr_html_(self) -> str:
        return _static_html(self.shown)


def _static_html(shown: Card) -> str:
    items = "".join(f"<li>{escape(choice.text)}</li>" for choice in shown.choices)
    return f"<p><b>Predict:</b> {escape(shown.question)}</p><ul>{items}</ul>"


#: A button of ipywidgets has one line, and cuts what is longer; a choice is a sentence.
_STYLE = (
    ".k8snet-card .k8snet-choice"
    "{white-space:normal;text-align:left;line-height:1.4;padding:4px 10px}"
)


def _widget(ipywidgets: Any, shown: Card) -> Any:
    words = f"<p><b>Predict:</b> {escape(shown.question)}</p>"
    question = ipywidgets.HTML(f"<style>{_STYLE}</style>{words}")
    answer = ipywidgets.HTML('<div role="status" aria-live="polite"></div>')
    wide = ipywidgets.Layout(width="auto", max_width="44em", height="auto", margin="2px 0")
    buttons = [ipywidgets.Button(description=c.text, layout=wide) for c in shown.choices]
    for choice, button in zip(shown.choices, buttons, strict=True):
        button.add_class("k8snet-choice")
        button.on_click(lambda _, choice=choice: _react(answer, buttons, shown, choice))
    box = ipywidgets.VBox([question, *buttons, answer])
    box.add_class("k8snet-card")
    return _with_fallback(box, shown)


def _react(answer: Any, buttons: list[Any], shown: Card, chosen: Choice) -> None:
    mark = "Right." if chosen.right else "Not so."
    for choice, button in zip(shown.choices, buttons, strict=True):
        button.icon = ("check" if choice.right else "times") if choice is chosen else ""
    words = f"<b>{mark}</b> {escape(chosen.reaction)}"
    answer.value = f'<div role="status" aria-live="polite"><p>{words}</p></div>'


def _with_fallback(box: Any, shown: Card) -> Any:
    """The widget, with the question in words for places that cannot show widgets."""
    plain = type(box)._repr_mimebundle_

    class PredictionCard(type(box)):  # type: ignore[misc]
        """A VBox that also says its content in words."""

        def _repr_mimebundle_(self, **options: Any) -> Any:
            bundle = plain(self, **options) or {}
            bundle["text/plain"] = shown.text
            bundle["text/html"] = _static_html(shown)
            return bundle

    return PredictionCard(box.children, _dom_classes=box._dom_classes)
