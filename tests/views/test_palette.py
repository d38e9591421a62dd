"""Every text can be read on every ground it stands on, in both themes (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from k8snetlib.views import chart, race_steps, scene, sheet, xray
from k8snetlib.views.bands import BANDS_STYLE
from k8snetlib.views.chain_map import STYLE as CHAIN_STYLE
from k8snetlib.views.grid import GRID_STYLE
from k8snetlib.views.live import style
from k8snetlib.views.matrix import MATRIX_STYLE
from k8snetlib.views.palette import COLOURS, TEXT_ON, contrast, theme_css
from k8snetlib.views.picture import FIGURE_STYLE
from k8snetlib.views.timeline import STYLE as TIMELINE_STYLE
from tools.visual_language import STROKES, VISIONS, difference

STYLES = "".join(
    (
        scene.STYLE,
        FIGURE_STYLE,
        style("player"),
        style("table"),
        sheet.STYLE,
        chart.STYLE,
        xray.STYLE,
        BANDS_STYLE,
        CHAIN_STYLE,
        GRID_STYLE,
        MATRIX_STYLE,
    )
)
PAIRS = [(text, ground) for text, grounds in TEXT_ON.items() for ground in grounds]


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48)],
)
def test_the_sum_itself(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS, ids=lambda value: value)
def test_text_contrast(text, ground, theme):
    assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("line", ["node", "pod", "service", "packet", "line", "process", "reply"])
def test_lines_stand_out(line, theme):
    """Graphics need 3 to 1 (WCAG 2.2, 1.4.11)."""
    assert contrast(COLOURS[line][theme], COLOURS["ground"][theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_mark_of_a_pod_stands_out_on_its_range(theme):
    assert contrast(COLOURS["pod"][theme], COLOURS["pod-band"][theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["node-fill", "node-band", "pod-fill", "pod-band", "card"])
@pytest.mark.parametrize("line", ["packet", "reply"])
def test_ways_stand_out_where_they_run(line, ground, theme):
    """Packets run through nodes, pods and bridges (WCAG 2.2, 1.4.11)."""
    assert contrast(COLOURS[line][theme], COLOURS[ground][theme]) >= 3


@pytest.mark.parametrize(
    ("one", "other", "vision", "wanted"),
    [
        ("#ffffff", "#000000", "full colour vision", 100),
        ("#ff0000", "#00ff00", "full colour vision", 170),
        # Whoever lacks a cone takes these two for one colour.
        ("#ff0000", "#6d6d00", "protanopia", 10),
        ("#56b4e9", "#d7a6e8", "protanopia", 1),
    ],
)
def test_the_simulation_itself(one, other, vision, wanted):
    found = difference(one, other, vision)
    assert found == pytest.approx(wanted, abs=1) if wanted in (1, 100, 170) else found < wanted


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("one", "other"), list(combinations(STROKES, 2)), ids=lambda c: c)
def test_colours_can_be_told_apart(one, other, vision, theme):
    """By readers of every colour vision: lines of packets from all that they run through, which
    nothing but a dash repeats; networks from each other, which a word tells apart as well."""
    least = 20 if {one, other} & {"packet", "reply"} else 10
    assert difference(COLOURS[one][theme], COLOURS[other][theme], vision) >= least


def test_every_text_colour_is_tested():
    used = set(re.findall(r"[;{ ](?:color|fill): ?var\(--k-([\w-]+)\)", STYLES))
    shapes = {name for name in COLOURS if name.endswith(("-fill", "-band"))}
    shapes |= {"ground", "card", "packet", "packet-deep", "reply", "line", "pod", "process"}
    assert used - shapes <= set(TEXT_ON)


def test_the_race_leaves_other_pictures_alone():
    """Style sheets of SVG hold for a whole page: a class that two pictures style differently would
    change the other one as well."""

    def classes(style):
        return set(re.findall(r"\.k8snet-svg \.([\w-]+)", style))

    others = classes(STYLES) | classes(TIMELINE_STYLE)
    assert classes(race_steps.STYLE) - others == classes(race_steps.STYLE)


def test_every_variable_exists():
    assert set(re.findall(r"var\(--k-([\w-]+)\)", STYLES)) <= set(COLOURS)


@pytest.mark.parametrize(
    "said",
    ["prefers-color-scheme:dark", '[data-jp-theme-light="false"]', '[data-jp-theme-light="true"]'],
)
def test_both_ways_to_ask_for_a_theme(said):
    assert said in theme_css()
