"""The race of the modes: a curve that follows the theme, and the same numbers in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from k8snetlib.cost import curve
from k8snetlib.errors import K8sNetError
from k8snetlib.views import race
from k8snetlib.views.palette import COLOURS, TEXT_ON
from k8snetlib.views.race import _INKS

SIZES = (1, 10, 100, 1000, 10000)
COST = {"iptables": lambda n: n + 14, "IPVS": lambda n: 17, "nftables": lambda n: 9}
RESULTS = [(mode, n, cost(n)) for mode, cost in COST.items() for n in SIZES]
SVG = "{http://www.w3.org/2000/svg}"

CASES = {
    "three modes": RESULTS,
    "one point": [("iptables", 5, 12)],
    "nothing to test": [("IPVS", 1, 0), ("IPVS", 1000, 0), ("iptables", 1, 3)],
    "a gap": [("iptables", 1, 3), ("iptables", 30, 20), ("nftables", 30, 20)],
    "equal ends": [(mode, n, 7) for mode in "abcd" for n in (1, 500)],
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param], race(CASES[request.param])


def roots(picture):
    """The two forms: for a wide and for a narrow screen."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", picture.html, re.S)]


def texts(root):
    return ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]


def test_every_number_is_in_the_words_and_in_the_table(case):
    results, picture = case
    for mode, services, evaluated in results:
        lane = next(line for line in picture.text.splitlines() if line.startswith(f"{mode}:"))
        assert re.search(rf"[:;] {services:,} Services?: {evaluated:,} rules?[.;]", lane)
        assert f"<td>{services:,}</td>" in picture.html
        assert f"<td>{evaluated:,}</td>" in picture.html


def test_every_curve_has_its_name_and_its_last_number(case):
    results, picture = case
    last = {mode: (n, evaluated) for mode, n, evaluated in sorted(results, key=lambda r: r[1])}
    wide, narrow = roots(picture)
    for mode, (_, evaluated) in last.items():
        assert f"{mode}: {evaluated:,}" in texts(wide)
        found = " ".join(texts(narrow)).split()
        assert mode in found and f"{evaluated:,}" in found


def test_curves_are_told_apart_without_colour():
    wide, _ = roots(race(RESULTS))
    lines = [
        dict(part.split(": ") for part in path.get("style").split("; "))
        for path in wide.iter(f"{SVG}path")
        if "stroke-width: 2.6" in path.get("style", "")
    ]
    assert len({line.get("stroke-dasharray") for line in lines}) == len(lines) == 3
    # x grows to the right and y down: iptables rises, the others stay level
    heights = [
        [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path.get("d"))]
        for path in wide.iter(f"{SVG}path")
        if "stroke-width: 2.6" in path.get("style", "")
    ]
    assert heights[0] == sorted(heights[0], reverse=True) and len(set(heights[0])) == 5
    assert [len(set(line)) for line in heights[1:]] == [1, 1]


def test_names_do_not_lie_on_each_other(case):
    _, picture = case
    for root in roots(picture):
        bold = [t for t in root.iter(f"{SVG}text") if "font-weight: 700" in t.get("style", "")]
        names = [t for t in bold if "".join(t.itertext()) != "rules tested for a new connection"]
        heights = sorted(float(name.get("y")) for name in names)
        assert heights[0] > 12 and all(b - a > 12 for a, b in pairwise(heights))


def test_ticks_are_numbers_that_beginners_read():
    wide, _ = roots(race(RESULTS))
    assert [t for t in texts(wide) if re.fullmatch(r"[\d,]+", t)] == [
        "1", "10", "100", "1,000", "10,000", "1", "10", "100", "1,000", "10,000",
    ]  # fmt: skip
    few, _ = roots(race([("iptables", 4, 9), ("iptables", 7, 12)]))
    assert texts(few)[:2] == ["4", "7"], "no two powers of ten in sight: the measured ones"


def test_the_picture_is_ours(case):
    """Our colours, our letters, nothing that reaches beyond the picture, and always the same."""
    results, picture = case
    assert race(results).html == picture.html
    svg = picture.svg
    assert not [code for code in _INKS if code in svg.partition("</style>")[2]]
    assert svg.count("<style") == 1 and "DejaVu" not in svg and "<metadata" not in svg
    for root in roots(picture):
        assert root.get("role") == "img"
        assert root.find(f"{SVG}title").text.startswith("Rules tested for one new connection")
        named = {t.get("id") for t in root.iter() if t.get("id")}
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', ElementTree.tostring(root, "unicode")))
        assert used <= named
    assert not set(re.findall(r"#[0-9a-f]{6}", svg.partition("</style>")[2]))


def test_letters_can_be_read_in_both_themes():
    words = set(re.findall(r"<text[^>]*fill: var\(--k-([\w-]+)\)", race(RESULTS).svg))
    assert words == {"ink", "muted"} <= set(TEXT_ON)
    assert set(_INKS.values()) <= set(COLOURS)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "nothing to race"),
        ([("iptables", 0, 3)], "is no result"),
        ([("iptables", 3, -1)], "is no result"),
        ([("iptables", "3", 1)], "is no result"),
        ([("iptables", 3)], "is no result"),
        ([(mode, 1, 1) for mode in "abcde"], "There are 5 modes"),
    ],
)
def test_what_cannot_be_drawn(results, said):
    with pytest.raises(K8sNetError, match=said):
        race(results)


def test_costs_as_the_model_counts_them():
    """The values of ``k8snetlib.cost`` are drawn as they are."""
    costs = [cost for mode in ("iptables", "nftables", "ipvs") for cost in curve(mode, (1, 30))]
    text = race(costs).text
    for cost in costs:
        assert f"{cost.services} Services: {cost.evaluated} rules" in text
    assert race(costs).text == race([(c.mode, c.services, c.evaluated) for c in costs]).text
