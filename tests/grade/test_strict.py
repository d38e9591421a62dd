"""What a learner's process wrote is read strictly: every line that our own code would not write, is
refused."""

from __future__ import annotations

import json

import pytest

from k8snetlib.grade.strict import MAX_LINE, Heard, NotStrict, hear, strict_json

READY, BEGIN, END = b'{"ready": true}', b'{"begin": "04.lookup"}', b'{"end": true}'


def told(collected: object, task: str = "04.lookup", seed: object = 1) -> bytes:
    return json.dumps({"task": task, "seed": seed, "collected": collected}).encode()


def listen(*lines: bytes) -> Heard:
    heard = Heard()
    for line in lines:
        heard = hear(heard, line, (1, 2), ("04.lookup", "04.headers"))
    return heard


ANSWER = {"status": "answered", "calls": [{"value": [1, None, "x"]}, {"error": "KeyError: 1"}]}


def test_a_whole_run():
    heard = listen(READY, BEGIN, told(ANSWER), told(ANSWER, seed=2), END)
    assert heard.ended and heard.ready and heard.at_work is None
    assert heard.collected == {(1, "04.lookup"): ANSWER, (2, "04.lookup"): ANSWER}


def test_who_was_at_work():
    assert listen(READY, BEGIN).at_work == "04.lookup"


@pytest.mark.parametrize(
    "lines",
    [
        [b"nothing"],
        [b""],
        [b"[]"],
        [b"\xff\xfe"],
        [b'{"ready": 1, "ready": true}'],
        [b'{"ready": true, "more": 1}'],
        [BEGIN],
        [READY, b'{"begin": "05.other"}'],
        [READY, b'{"begin": ["04.lookup"]}'],
        [READY, told(ANSWER)],
        [READY, BEGIN, told(ANSWER, task="04.headers")],
        [READY, BEGIN, told(ANSWER, seed=9)],
        [READY, BEGIN, told(ANSWER, seed=True)],
        [READY, BEGIN, told(ANSWER, seed="1")],
        [READY, BEGIN, told(ANSWER, seed=1.0)],
        [READY, BEGIN, told(ANSWER), told(ANSWER)],
        [READY, END, BEGIN],
        [READY, BEGIN, told([])],
        [READY, BEGIN, told({"status": "pass"})],
        [READY, BEGIN, told({"status": "internal-error", "text": "please look"})],
        [READY, BEGIN, told({"status": "answered", "points": 8})],
        [READY, BEGIN, told({"status": "error", "text": 1})],
        [READY, BEGIN, told({"status": "error", "text": "x" * 2000})],
        [READY, BEGIN, told({"status": "answered", "calls": "x"})],
        [READY, BEGIN, told({"status": "answered", "calls": ["x"]})],
        [READY, BEGIN, told({"status": "answered", "calls": [{"value": 1, "right": True}]})],
        [READY, BEGIN, told({"status": "answered", "calls": [{"error": {}}]})],
    ],
    ids=lambda lines: b" ".join(lines).decode("latin-1")[-50:],
)
def test_a_line_of_another_shape(lines):
    with pytest.raises(NotStrict):
        listen(*lines)


@pytest.mark.parametrize(
    "data",
    [
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"9" * 5000,
        b"[" * 60 + b"]" * 60,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'{"a": 1, "a": 2}',
        b"1 2",
        b" " * (MAX_LINE + 1),
    ],
    ids=lambda data: data[:12].decode(),
)
def test_json_that_is_not_strict(data):
    with pytest.raises(NotStrict):
        strict_json(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"1.5e3", 1500.0),
        ('"é"'.encode(), "é"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"[" * 40 + b"]" * 40, None),
    ],
    ids=["64-bits", "-64-bits", "float", "utf-8", "pair", "forty-deep"],
)
def test_json_that_is(data, value):
    found = strict_json(data)
    assert value is None or (found == value and type(found) is type(value))
