"""What every picture has to be in a browser: words in their boxes, text that can be read."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import artefacts, axe

#: Words whose real extent, as this browser sets them, leaves the rectangle of their group, or
#: which lie on other words of their picture.
MISPLACED = """() => {
    const pictures = [...document.querySelectorAll('svg.k8snet-svg')]
        .filter((svg) => svg.getBoundingClientRect().width);
    const out = (a, b) => a.x < b.x - 0.5 || a.y < b.y - 0.5
        || a.x + a.width > b.x + b.width + 0.5 || a.y + a.height > b.y + b.height + 0.5;
    const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
        && a.y < b.y + b.height - 4 && b.y < a.y + a.height - 4;
    return pictures.flatMap((svg) => {
        const words = [...svg.querySelectorAll('text')].map((text) => [text, text.getBBox()]);
        const left = words.filter(([text, box]) => {
            const frames = [...text.closest('g')?.querySelectorAll('rect') ?? []];
            // A lane of the timeline has many boxes, and its name stands before the first.
            if (frames.some((frame) => frame.matches('.key, .daemon, .gone')))
                return frames.some((frame) => meet(box, frame.getBBox()))
                    && frames.every((frame) => out(box, frame.getBBox()));
            return frames.length && out(box, frames[0].getBBox());
        }).map(([text]) => 'outside: ' + text.textContent);
        const pairs = words.flatMap(([text, box], n) => words.slice(n + 1)
            .filter(([, other]) => meet(box, other))
            .map(([other]) => text.textContent + ' on ' + other.textContent));
        return left.concat(pairs);
    });
}"""


def check_figures(page: Any, name: str, count: int, drawn: int, px: float) -> None:
    """All figures of a page, kept as screenshots ``NAME-1-SCREEN`` and so on.

    Parameters: ``drawn`` is how many are SVG at all; ``px`` the size of their smallest text. On a
    narrow screen a picture scrolls, or has another form, rather than shrink it below 10 px.
    """
    figures = page.locator(".k8snet-figure:visible")
    assert figures.count() == count
    for n in range(count):
        figures.nth(n).scroll_into_view_if_needed()
        figures.nth(n).screenshot(path=str(artefacts() / f"{name}-{n}-{page.screen}.png"))
    assert page.evaluate(MISPLACED) == []
    sizes = page.evaluate(
        """(px) => [...document.querySelectorAll('.k8snet-figure svg.k8snet-svg')]
            .filter((svg) => svg.getBoundingClientRect().width)
            .map((svg) => px * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)""",
        px,
    )
    assert len(sizes) == drawn and min(sizes) >= 10
    assert axe(page, ".k8snet-player", ".k8snet-figure") == []
    assert (page.errors, page.offsite) == ([], [])
