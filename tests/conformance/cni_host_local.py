"""Reads ``cni_host_local*.json``: what host-local's own tests say of ranges and of allocating."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from k8snetlib.kube.cni.host_local import Allocator, Store
from k8snetlib.kube.cni.ranges import Range, RangeSet, parse_address
from k8snetlib.kube.cni.spec import CniError
from tests.conformance.case import Case, NotUnderstood, known

ORIGIN = {"test", "file", "case", "note", "origin", "derived"}
LIMITS = {"rangeStart", "rangeEnd", "gateway"}
FOLDER = "/var/lib/cni/networks/test"


def _text(value: object) -> str:
    """An address in its canonical form, or what is no address as it is."""
    try:
        return str(parse_address(value))
    except CniError:
        return str(value)


def _range(case: Mapping[str, Any]) -> dict[str, Any]:
    return {key: case[key] for key in {"subnet", *LIMITS} if case.get(key) is not None}


def _allocator(case: Mapping[str, Any]) -> Allocator:
    """An allocator over a case's ranges, with the files that the case starts from."""
    configs = [{"subnet": s} for s in case["subnets"]] if "subnets" in case else [_range(case)]
    files = {f"{FOLDER}/{_text(ip)}": "somebody\r\neth0" for ip in case.get("alreadyReserved", ())}
    if case.get("lastReservedIP"):
        files[f"{FOLDER}/last_reserved_ip.0"] = case["lastReservedIP"]
    return Allocator(RangeSet.parse(configs), Store(files, FOLDER))


def _refused(do: Callable[[], object], expect: Mapping[str, Any]) -> None:
    with pytest.raises(CniError) as caught:
        do()
    message = caught.value.message
    if "error" in expect:
        assert message == expect["error"]
    elif "errorPrefix" in expect:
        assert message.startswith(expect["errorPrefix"])
    else:
        assert expect["errorContains"] in message


ERRORS = {"error", "errorPrefix", "errorContains"}


def _allocate(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | LIMITS | {"subnet", "subnets", "alreadyReserved", "lastReservedIP",
                                   "requested", "id", "expect"})  # fmt: skip
    expect = case["expect"]
    known(expect, ERRORS | {"ip", "address", "gateway"})
    allocator = _allocator(case)
    requested = parse_address(case["requested"]) if case.get("requested") else None

    def get() -> Any:
        return allocator.get(case.get("id", "ID"), "eth0", requested)

    if expect.keys() & ERRORS:
        _refused(get, expect)
        return 1
    got = get()
    made = {"ip": got.ip, "address": got.address, "gateway": got.gateway}
    assert {key: made[key] for key in expect} == {key: _text(v) for key, v in expect.items()}
    return len(expect)


def _iterate(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | LIMITS | {"subnet", "subnets", "lastReservedIP", "expectSequence"})
    allocator = _allocator(case)
    expected = [ip if ip is None else _text(ip) for ip in case["expectSequence"]]
    addresses = allocator.ranges.after(allocator.store.last(0))
    got = [next(addresses, None) for _ in expected]
    assert [None if one is None else str(one[0]) for one in got] == expected
    return len(expected)


def _sequence(case: Mapping[str, Any]) -> int:
    known(
        case, ORIGIN | LIMITS | {"subnet", "subnets", "alreadyReserved", "lastReservedIP", "steps"}
    )
    allocator = _allocator(case)
    for n, step in enumerate(case["steps"], 1):
        known(step, {"op", "id", "ifname", "requested", "expect", "note", *ERRORS})
        owner, ifname = step.get("id", "ID"), step.get("ifname", "eth0")
        if step["op"] == "release":
            allocator.store.release(f"{owner}\r\n{ifname}")
            assert allocator.store.addresses(f"{owner}\r\n{ifname}") == []
        elif step["op"] == "get":
            wanted = parse_address(step["requested"]) if step.get("requested") else None
            try:
                got = allocator.get(owner, ifname, wanted).address
            except CniError as error:
                got = "error"
                if isinstance(step.get("expect"), Mapping):
                    got = {"error": error.message}
            expected = step.get("expect", got if got != "error" else "an address")
            if isinstance(expected, str) and expected != "error" and "/" not in expected:
                got = got.partition("/")[0]
            assert got == expected, f"step {n}"
        else:
            raise NotUnderstood(f"an op '{step['op']}'")
    return len(case["steps"])


def _one_range(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | LIMITS | {"subnet", "expect"})
    expect = case["expect"]
    known(expect, ERRORS | LIMITS | {"subnet", "ok"})
    if expect.keys() & ERRORS:
        _refused(lambda: Range.parse(_range(case)), expect)
        return 1
    made = Range.parse(_range(case))
    got = {"subnet": str(made.subnet), "rangeStart": str(made.start), "rangeEnd": str(made.end),
           "gateway": str(made.gateway), "ok": True}  # fmt: skip
    # The cases write some IPv6 addresses in a form of their own.
    expected = {key: value if key == "subnet" else _text(value) for key, value in expect.items()}
    assert {key: str(got[key]) for key in expect} == expected
    return len(expect)


def _contains(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"range", "ip", "expect"})
    known(case["range"], LIMITS | {"subnet"})
    made = Range.parse(_range(case["range"]))
    assert made.contains(parse_address(case["ip"])) is case["expect"]
    return 1


def _overlap(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"a", "b", "expect"})
    a, b = (Range.parse(_range(case[key])) for key in "ab")
    assert a.overlaps(b) is case["expect"]
    assert b.overlaps(a) is case["expect"]
    return 2


def _range_set(case: Mapping[str, Any]) -> int:
    known(case, ORIGIN | {"subnets", "rangeFor", "expect"})
    expect = case["expect"]
    known(expect, ERRORS | {"index", "canonicalizeError"})
    configs = [{"subnet": subnet} for subnet in case["subnets"]]
    if "canonicalizeError" in expect:
        _refused(lambda: RangeSet.parse(configs), {"error": expect["canonicalizeError"]})
        return 1
    made = RangeSet.parse(configs)
    ip = parse_address(case["rangeFor"])
    if "index" in expect:
        assert made.index_of(ip) == expect["index"]
    else:
        _refused(lambda: made.index_of(ip), expect)
    return 1


KINDS = {
    "allocateCases": _allocate,
    "iterationCases": _iterate,
    "sequenceCases": _sequence,
    "rangeCases": _one_range,
    "containsCases": _contains,
    "overlapCases": _overlap,
    "rangeSetCases": _range_set,
}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each entry of each table."""
    for kind, entries in document.items():
        if kind in ("source", "note"):
            continue
        if kind not in KINDS:
            raise NotUnderstood(f"a table '{kind}'")
        for n, entry in enumerate(entries):
            name = str(entry.get("case") or entry.get("test") or "").replace(" ", "-")
            label = f"{kind.removesuffix('Cases')}-{n}{'-' * bool(name)}{name}"
            yield Case(label, lambda k=kind, e=entry: (KINDS[k](e), ()))
