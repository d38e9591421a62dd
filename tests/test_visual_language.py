"""docs/visual-language.md is fresh, and its rules hold in every picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

import pytest

from k8snetlib import Cluster
from k8snetlib.views import (
    Picture,
    address_bands,
    chain_map,
    draw,
    draw_mtu,
    draw_stacks,
    packet_flow,
    pod_xray,
    timeline,
)
from k8snetlib.views.palette import COLOURS
from tests.views.conftest import nodes_with_pods
from tools import visual_language as language


def test_the_page_is_fresh() -> None:
    assert language.PAGE.read_text() == language.page(), "run `python tools/visual_language.py`"


def test_the_examples_are_fresh() -> None:
    made = language.pictures()
    assert {path.name for path in language.FOLDER.iterdir()} == set(made)
    for name, svg in made.items():
        assert (language.FOLDER / name).read_text() == svg, "run `python tools/visual_language.py`"


@pytest.mark.parametrize(
    ("one", "other", "delta"),
    [("#ffffff", "#ffffff", 0.0), ("#ffffff", "#000000", 100.0), ("#ff0000", "#00ff00", 170.6)],
)
def test_the_difference_itself(one: str, other: str, delta: float) -> None:
    assert language.difference(one, other, "full colour vision") == pytest.approx(delta, abs=0.5)


def test_red_and_green_come_near_for_a_deuteranope() -> None:
    pair = ("#b06000", "#708000")
    seen = language.difference(*pair, "deuteranopia")
    assert seen < language.difference(*pair, "full colour vision") / 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", language.VISIONS)
def test_networks_and_packet_differ_for_every_reader(vision: str, theme: int) -> None:
    """Four times what is just visible; and no picture relies on it alone."""
    for one, other in combinations((*language.NETWORKS, "packet"), 2):
        colours = COLOURS[one][theme], COLOURS[other][theme]
        assert language.difference(*colours, vision) >= 9.5, (one, other)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster.example()


ALL: dict[str, Callable[[Cluster], Picture]] = {
    "cluster": draw,
    "way": lambda c: draw(c.connect("web2", "backend", port=8080), "both"),
    "crowd": lambda c: draw(nodes_with_pods([1] * 200)),
    "count": lambda c: draw(nodes_with_pods([1] * 500)),
    "xray": lambda c: pod_xray(c["web1"]),
    "flow": lambda c: packet_flow(),
    "bands": address_bands,
    "chains": lambda c: chain_map(c, "backend-svc", node="node1"),
    "stacks": lambda c: draw_stacks({"udp": c.ping("web2", "backend")}),
    "mtu": lambda c: draw_mtu({"udp": c.ping("web2", "backend", payload=1000)}),
    "timeline": timeline,
}


@pytest.fixture(params=ALL)
def picture(request: pytest.FixtureRequest, cluster: Cluster) -> Picture:
    return ALL[request.param](cluster)


def test_no_text_is_too_small_on_a_phone(picture: Picture) -> None:
    """The narrowest that a picture becomes, in times its natural width, and its smallest text."""
    size = re.search(r'viewBox="0 0 ([\d.]+) .*?min-width:(\d+)px', picture.svg)
    assert size
    words = {name for names in re.findall(r'<(?:text|tspan)[^>]* class="([^"]+)"', picture.svg)
             for name in names.split()}  # fmt: skip
    sizes = [
        float(px)
        for name, px in re.findall(r"\.([\w-]+)(?: text)?\{[^}]*font-size:([\d.]+)px", picture.svg)
        if name in words
    ]
    assert sizes and min(sizes) * float(size[2]) / float(size[1]) >= 10


def test_a_process_has_the_colour_of_processes(picture: Picture) -> None:
    for style in re.findall(r"\.daemon\{([^}]*)\}", picture.svg):
        assert "fill:var(--k-process-fill)" in style and "stroke:var(--k-process)" in style


def test_all_is_told_in_words(picture: Picture) -> None:
    desc = re.search(r"<desc[^>]*>(.*?)</desc>", picture.svg, re.S)
    assert desc and len(desc[1]) > 20 and len(picture.text) > 40
