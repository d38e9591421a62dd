"""What lives here: the story of an exchange on a terminal, in colour where the terminal has some.

What may not live here: what the story says (see ``story``).
"""

from __future__ import annotations

import re

import click

from k8snetlib.trace import Exchange

#: What gets which style in the story; the first group if there is one. Colour never says what the
#: text does not say.
_STYLES = (
    (r"(?m)^\S.* \((?:came in on|it begins)[^)]*\)$", "bold cyan"),
    (r"(?m)^[─═]+$", "dim"),
    (r"(?m)^(?:The request|The answer|Packet): .*$", "bold"),
    (r"(?m)^ *\d+ ✓ \w+", "bold green"),
    (r"(?m)^ *\d+ ✗ \w+", "bold red"),
    (r"(?m)^ *\d+ … \w+", "yellow"),
    (r"(?m)^ *\d+   (?:(?:raw|mangle|nat|filter|security) )?\w+", "blue"),
    (r"(?m)^ +[+−~] .*$", "magenta"),
    (r"(?m)^ +≈ .*$", "yellow"),
    (r"\([\w.:-]+(?: [\w.-]+)?\)", "cyan"),
)


def print_story(exchange: Exchange, rules: bool) -> None:
    """The story, coloured on a terminal (NO_COLOR and pipes get plain text)."""
    from rich.console import Console
    from rich.text import Text

    from k8snetlib.story import exchange_story

    story = exchange_story(exchange, rules=rules)
    console = Console(highlight=False, soft_wrap=True)
    if console.no_color or not console.is_terminal:
        click.echo(story)
        return
    text = Text(story)
    for pattern, style in _STYLES:
        text.highlight_regex(pattern, style)
    word = re.search(rf": {re.escape(exchange.outcome)}\b", story)
    if word:
        text.stylize("bold green" if exchange.ok else "bold red", word.start() + 2, word.end())
    console.print(text, soft_wrap=True)


def write_pictures(exchange: Exchange, html: str | None, svg: str | None, png: str | None) -> None:
    """The walk as files: the step player, and the way of request and reply."""
    if html is not None:
        from k8snetlib.views import play

        play(exchange).to_html(html)
        click.echo(f"The step player is in {html}", err=True)
    if svg is None and png is None:
        return
    from k8snetlib.views import draw

    picture = draw(exchange, "both" if exchange.packets else None)
    if svg is not None:
        picture.to_svg(svg)
    if png is not None:
        picture.to_png(png)
    click.echo(f"The picture is in {' and '.join(filter(None, (svg, png)))}", err=True)
