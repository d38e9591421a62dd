"""Equivalent forms of an answer are one answer; odd objects are none; nothing raises."""

from __future__ import annotations

import enum
import ipaddress
import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest

from k8snetlib.course import forms
from k8snetlib.course.plain import Other, from_plain, is_blank, to_plain
from k8snetlib.trace import Names


class Sly(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__

    def __add__(self, other):
        return 99


class SlyText(str):
    __slots__ = ()

    def __str__(self):
        return "something else"

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Equal:
    def __eq__(self, other):
        return True

    __hash__ = None


class Bomb:
    def __getattribute__(self, name):
        raise RuntimeError("no")


class Pair(NamedTuple):
    prefix: str
    device: str


class Colour(enum.IntEnum):
    RED = 7


def deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, "a"), [1, "a"]),
        (Pair("10.0.0.0/8", "eth0"), ["10.0.0.0/8", "eth0"]),
        ({"b", "a"}, ["a", "b"]),
        (ipaddress.ip_network("10.1.15.0/24"), "10.1.15.0/24"),
        (ipaddress.ip_address("10.1.15.2"), "10.1.15.2"),
        (ipaddress.ip_interface("10.1.15.2/24"), "10.1.15.2/24"),
        (Fraction(1, 3), "1/3"),
        (Decimal("0.25"), "0.25"),
        (bytearray(b"\x01\xff"), {"$": "bytes", "hex": "01ff"}),
        (memoryview(b"ab"), {"$": "bytes", "hex": "6162"}),
        (Colour.RED, 7),
        (Sly(4), 4),
        (SlyText("node1"), "node1"),
        ({1: "a"}, {"1": "a"}),
        (..., None),
        (True, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_form(value, plain):
    told = to_plain(value)
    assert told == plain and type(told) is type(plain)
    assert json.loads(json.dumps(told, allow_nan=False)) == plain


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, 1 << 70, Equal(), print, object, {"$": "bytes", "hex": "zz"},
        {("a",): 1}, (i for i in range(3)), "x" * 200_000, bytes(200_000), 3 + 4j,
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_what_has_no_plain_form(value):
    told = to_plain(value)
    assert told["$"] == "other"
    assert isinstance(from_plain(told), Other)
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    "value",
    [deep(50), deep(5000), [0] * 50_000, ["x" * 50_000] * 100],
    ids=["50", "5000", "wide", "long"],
)
def test_too_much_stops(value):
    text = json.dumps(to_plain(value))
    assert "too deep" in text and len(text) < 100


def test_an_object_that_cannot_even_be_looked_at():
    assert to_plain([Bomb()])[0]["$"] == "other"


def test_a_list_that_holds_itself_stops():
    value: list = []
    value.append(value)
    assert "too deep" in json.dumps(to_plain(value))


def test_lone_surrogates_become_text():
    json.dumps(to_plain("\ud800"), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("value", [b"\0\x45", "a", 1, [1, [b"x"]], {"a": {"b": b""}}, None])
def test_there_and_back(value):
    assert from_plain(json.loads(json.dumps(to_plain(value)))) == value


def test_questions_keep_tuples_and_answers_do_not():
    table = [("10.0.0.0/8", "eth0")]
    asked = from_plain(json.loads(json.dumps(to_plain(table, keep_tuples=True))))
    assert asked == table and type(asked[0]) is tuple


@pytest.mark.parametrize(
    ("value", "blank"),
    [
        (None, True), ({"a": None, "b": {"c": None}}, True), ([None, None], True), ({}, True),
        ([], False), (0, False), ("", False), ({"a": None, "b": 1}, False),
        ({"$": "bytes", "hex": ""}, False),
    ],
    ids=repr,
)  # fmt: skip
def test_blank(value, blank):
    assert is_blank(value) is blank


@pytest.mark.parametrize(
    "text",
    [
        "10.1.0.0/16 dev flannel0",
        "10.1.0.0/16 dev flannel0 scope link",
        "  10.1.0.0/16   flannel0 ",
        ["10.1.0.0/16", "flannel0"],
    ],
    ids=repr,
)
def test_a_route(text):
    assert forms.route(text) == ("10.1.0.0/16", "", "flannel0")


@pytest.mark.parametrize(
    "text", ["default via 10.1.15.1 dev eth0", "0.0.0.0/0 via 10.1.15.1 dev eth0"]
)
def test_a_default_route(text):
    assert forms.route(text) == ("0.0.0.0/0", "10.1.15.1", "eth0")


@pytest.mark.parametrize(
    "text",
    [
        "10.1.20.0/24 -> 192.168.66.12",
        "10.1.20.0/24 → 192.168.66.12",
        "10.1.20.0/24: 192.168.66.12",
        ["10.1.20.0/24", "192.168.66.12"],
        {"10.1.20.0/24": "192.168.66.12"},
    ],
    ids=repr,
)
def test_a_lease(text):
    assert forms.lease(text) == ("10.1.20.0/24", "192.168.66.12")


@pytest.mark.parametrize("read", [forms.entry, forms.entries, forms.yes])
@pytest.mark.parametrize("value", [None, 7, [], [1, None], {}, {"a": 1}, b"x", Other("x"), 1.5])
def test_no_reader_of_entries_raises(read, value):
    read(value)


@pytest.mark.parametrize(
    "text",
    [
        "10.1.20.0 lladdr 0e:f1:0a:01:14:00 PERMANENT",
        "10.1.20.0 dev eth0 lladdr 0E-F1-0A-01-14-00",
        ["10.1.20.0", "0e:f1:0a:01:14:00"],
        {"10.1.20.0": "0e:f1:0a:01:14:00"},
    ],
    ids=repr,
)
def test_an_entry(text):
    assert forms.entry(text) == ("10.1.20.0", "0e:f1:0a:01:14:00")


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (forms.yes, "No", False),
        (forms.yes, "delivered", True),
        (forms.yes, 1, True),
        (forms.yes, "0", False),
        (forms.yes, "Not answered.", False),
        (forms.yes, 2, 2),
        (forms.entry, "10.1.15.0/24 via 10.1.15.0 dev x", ("10.1.15.0/24", "10.1.15.0")),
        (forms.entry, "Node1:flannel.1 dst 10.0.0.1", ("node1:flannel.1", "10.0.0.1")),
        (forms.entry, "no entry", "no entry"),
        (forms.entries, "10.0.0.2 via\n10.0.0.1", [("10.0.0.1",), ("10.0.0.2",)]),
        (forms.entries, {"10.0.0.2": "10.0.0.9"}, [("10.0.0.2", "10.0.0.9")]),
        (forms.entries, 7, 7),
        (forms.host, "default/Web2 ", "web2"),
        (forms.hosts, "node1, node2", ["node1", "node2"]),
        (forms.hosts, "node2 and node1", ["node1", "node2"]),
        (forms.hosts, ["node2", "node1", "node2"], ["node1", "node2"]),
        (forms.outcome, " Connection  refused", "refused"),
        (forms.outcome, "answered", "delivered"),
        (forms.outcome, "Lost", "lost"),
        (forms.whole, " 62 ", 62),
        (forms.whole, "six", "six"),
        (forms.route, "nonsense", "nonsense"),
        (forms.route, "", ""),
        (forms.chance, "1/4", 0.25),
        (forms.chance, "25 %", 0.25),
        (forms.chance, 1, 1.0),
        (forms.chance, "1/0", "1/0"),
        (forms.chance, ".25", 0.25),
        (forms.chance, "0,25", 0.25),
        (forms.host, "the router", "router"),
        (forms.hosts, "only node2 & node1", ["node1", "node2"]),
        (forms.chance, True, True),
        (forms.nobody, "no one", "nobody"),
        (forms.nobody, "web2", "web2"),
        (forms.empty, "None", []),
        (forms.empty, ["web2"], ["web2"]),
        (forms.empty, False, []),
        (forms.empty, "no-route", "no-route"),
        (forms.chains, "FORWARD", ["filter FORWARD"]),
        (forms.chains, ["PREROUTING", "filter/FORWARD"], ["filter FORWARD", "nat PREROUTING"]),
        (forms.chains, ["filter", "FORWARD"], ["filter FORWARD"]),
        (forms.chains, {"mangle": ["INPUT"]}, ["mangle INPUT"]),
        (forms.chains, "the OUTPUT chain of filter", ["filter OUTPUT"]),
        (
            forms.chains,
            "POSTROUTING (nat), table raw: PREROUTING",
            ["nat POSTROUTING", "raw PREROUTING"],
        ),
        (forms.chains, ["conntrack", "FORWARD in filter"], ["filter FORWARD"]),
        (forms.chains, "No rule.", []),
        (forms.chains, ["conntrack"], "conntrack"),
        (forms.chains, "KUBE-FORWARD", "KUBE-FORWARD"),
        (forms.end, ["10.1.15.2", 80], "10.1.15.2:80"),
        (forms.end, " 10.1.15.2:80", "10.1.15.2:80"),
        (forms.lease, "10.1.20.3 -> 192.168.66.12", ("10.1.20.3/32", "192.168.66.12")),
    ],
)
def test_a_reader(read, value, expected):
    assert read(value) == expected


@pytest.mark.parametrize(
    "read",
    [
        forms.route, forms.lease, forms.host, forms.hosts, forms.whole, forms.chance, forms.nobody,
        forms.empty, forms.end, forms.outcome, forms.chains, forms.none,
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, 7, [], [1, None], {}, {"a": 1}, b"x", Other("x"), 1.5])
def test_no_reader_raises(read, value):
    read(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("No rule at all", True), ("none.", True), ("no-one", True), ("-", True), ("", True),
        (False, True), (0, True), ([], True),
        ("node1", False), ("no-route", False), (None, False), (["a"], False), (1, False),
    ],
)  # fmt: skip
def test_what_says_none(value, expected):
    assert forms.none(value) is expected


@pytest.mark.parametrize(
    ("value", "line", "expected"),
    [
        ("10.1.20.0/24 via 10.0.0.2 dev eth0", "10.1.20.0/24 via 10.0.0.2 dev eth0", True),
        ("10.1.20.0/24 via 10.0.0.2", "10.1.20.0/24 via 10.0.0.2 dev eth0", True),
        (["10.1.20.0/24", "via", "10.0.0.3"], "10.1.20.0/24 via 10.0.0.2 dev eth0", False),
        ("10.1.20.0/24", "10.1.20.0/24 via 10.0.0.2 dev eth0", False),
        ("10.1.15.0/24", "10.1.15.0/24 dev docker0", False),
        (None, "10.1.15.0/24 dev docker0", False),
    ],
)
def test_the_name_of_a_route(value, line, expected):
    assert forms.is_route(value, line) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.1.15.2/24", "10.1.15.2"),
        (" 10.1.15.2 (web2)", "10.1.15.2"),
        ("pod/web2", "10.1.15.2"),
        ("10.1.15.2 or 10.1.15.3", "10.1.15.2 or 10.1.15.3"),
        ("somebody", "somebody"),
        (None, None),
        (7, 7),
    ],
)
def test_an_address(value, expected):
    assert forms.address(value, Names({}, {"10.1.15.2": "web2"})) == expected


@pytest.mark.parametrize(
    "text", ["node1:eth0", "02:66:C0:A8:42:0B", "02-66-c0-a8-42-0b", " NODE1:eth0"]
)
def test_the_owner_of_a_mac(text):
    names = Names({"02:66:c0:a8:42:0b": "node1:eth0"}, {})
    assert forms.owner(text, names) == "node1:eth0"
