"""Pictures and walks as files: pages that fetch nothing, SVG for drawing programs, PNG."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from html import unescape

import pytest

from k8snetlib.errors import K8sNetError
from k8snetlib.story import exchange_story
from k8snetlib.views import Player, draw, export, play
from k8snetlib.views.palette import COLOURS

SMALL = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20">'
    "<style>.a{fill:var(--k-pod)}</style>"
    '<rect class="a" x="20" y="0" width="20" height="20"/></svg>'
)


@pytest.fixture(scope="module")
def walk_page(exchange, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "walk.html"
    play(exchange).to_html(path)
    return path.read_text("utf-8")


def test_the_page_holds_all_that_it_shows(walk_page, exchange):
    """Nothing to be loaded: no address, no file, and a policy that forbids both."""
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", walk_page, flags=re.S)
    assert not re.search(r"<(link|img|iframe|object|embed)\b|\b(src|href)=", markup)
    assert not re.search(r"\bimport\b|url\(|@import|fetch\(", walk_page)
    assert "content=\"default-src 'none';" in walk_page
    told = re.search(r"<pre>(.*?)</pre>", walk_page, re.S)
    assert told and unescape(told[1]) == exchange_story(exchange)
    assert draw(exchange).svg in walk_page


def test_the_page_has_the_data_of_the_player(walk_page, exchange):
    line = next(x for x in walk_page.splitlines() if x.startswith("const shown = "))
    text = line.removeprefix("const shown = { data: ").removesuffix(" };")
    assert json.loads(text) == play(exchange).data
    assert walk_page.count("</script>") == 1 and "<" not in text


def test_words_of_a_title_are_no_markup():
    made = export.page("a <b> & c", "<p>x</p>")
    assert made.count("a &lt;b&gt; &amp; c") == 2 and "<script" not in made


@pytest.mark.parametrize("said", ["</script><script>", "<!--", "ü → "], ids=["end", "comment", "ü"])
def test_no_text_ends_the_script(said):
    made = export.page("t", "", script="const x = 1;", data={"said": said})
    line = next(x for x in made.splitlines() if x.startswith("const shown"))
    assert (
        json.loads(line.removeprefix("const shown = { data: ").removesuffix(" };"))["said"] == said
    )
    assert made.count("</script>") == 1 and "<!--" not in made


def test_a_page_without_packets_is_the_still_one(exchange, tmp_path):
    nothing = exchange._replace(packets=(), request_at=None, reply_at=None, reason="no route")
    play(nothing).to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "<script" not in page and "No packet was sent" in page


def test_a_player_without_a_title_has_its_picture_s(exchange, tmp_path):
    Player({"packets": []}, draw(exchange)).to_html(tmp_path / "a.html")
    assert "<h1>TCP SYN: web2 to backend</h1>" in (tmp_path / "a.html").read_text("utf-8")


def test_a_picture_becomes_a_page(exchange, tmp_path):
    picture = draw(exchange)
    picture.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert picture.html in page and "<script" not in page
    assert "<h1>TCP SYN: web2 to backend</h1>" in page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_svg_with_its_colours_written_out(exchange, tmp_path, theme):
    picture = draw(exchange)
    picture.to_svg(tmp_path / "a.svg", theme)
    text = (tmp_path / "a.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert "var(" not in text and "@media" not in text
    node = COLOURS["node"][theme == "dark"]
    assert f".node{{fill:{COLOURS['node-fill'][theme == 'dark']};stroke:{node}" in text


def test_svg_follows_its_reader(exchange, tmp_path):
    play(exchange).to_svg(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text("utf-8") == draw(exchange).svg + "\n"


def pixels(data):
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(("theme", "at"), [("light", 0), ("dark", 1)])
def test_png_is_drawn_in_a_theme(theme, at):
    image = pixels(export.png_bytes(SMALL, theme, 3))
    seen = ["#{:02x}{:02x}{:02x}".format(*image.getpixel((x, 30))) for x in (10, 110)]
    assert image.size == (120, 60)
    assert seen == [COLOURS["ground"][at], COLOURS["pod"][at]]


def test_png_has_the_words(exchange, tmp_path):
    svg = draw(exchange).svg
    silent = re.sub(r"<text.*?</text>", "", svg)
    assert export.png_bytes(svg, scale=1) != export.png_bytes(silent, scale=1)
    play(exchange).to_png(tmp_path / "a.png", scale=1)
    assert (tmp_path / "a.png").read_bytes() == export.png_bytes(svg, scale=1)


def test_png_without_its_library(monkeypatch, exchange, tmp_path):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(
        K8sNetError, match=r"resvg-py, which is not installed here.*k8snetlib\[png\]"
    ):
        draw(exchange).to_png(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_png_without_a_font(monkeypatch):
    monkeypatch.setattr(export, "_resvg", lambda svg, scale, ground=None: b"blank")
    with pytest.raises(K8sNetError, match="needs a font"):
        export.png_bytes(SMALL)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda p, at: p.to_svg(at, "blue"), "'blue' is not a theme"),
        (lambda p, at: p.to_png(at, "blue"), "'blue' is not a theme"),
        (lambda p, at: p.to_png(at, scale=0), "Scale 0 is out of range"),
        (lambda p, at: p.to_svg(at / "no" / "a.svg"), "Cannot write"),
        (lambda p, at: p.to_html(at / "no" / "a.html"), "Cannot write"),
    ],
    ids=["svg-theme", "png-theme", "scale", "svg-folder", "html-folder"],
)
def test_wrong_use(wrong, says, exchange, tmp_path):
    with pytest.raises(K8sNetError, match=says):
        wrong(draw(exchange), tmp_path)
