"""Reads ``flannel_config*.json``: net-confs, subnet keys, address arithmetic, subnet.env, Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.errors import K8sNetError
from k8snetlib.flannel import ip, subnet_env
from k8snetlib.flannel.config import NetConf, check_network_config, parse_config
from tests.conformance.case import Case, NotUnderstood

SECTIONS = {
    "source", "schema", "note", "configCases", "subnetKeyCases", "ip4netCases",
    "subnetEnvReadCases", "mkDockerOptsCases",
}  # fmt: skip
ABOUT = {"test", "file", "case", "origin", "note", "derived"}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    unknown = set(document) - SECTIONS
    if unknown:
        yield Case("(sections)", lambda: _fail(f"unknown sections {sorted(unknown)}"))
    for section, run in (
        ("configCases", _config), ("subnetKeyCases", _key), ("ip4netCases", _arithmetic),
        ("subnetEnvReadCases", _env), ("mkDockerOptsCases", _docker),
    ):  # fmt: skip
        found = document.get(section, [])
        for n, case in enumerate(found["cases"] if isinstance(found, dict) else found):
            name = (
                case.get("case") or case.get("key") or f"{case.get('op', '')} {case.get('a', '')}"
            )
            yield Case(f"{section}-{n}-{name}", lambda run=run, case=case: run(case))


def _fail(why: str) -> tuple[int, tuple[str, ...]]:
    raise NotUnderstood(why)


def _only(case: Mapping[str, Any], *known: str) -> None:
    unknown = set(case) - ABOUT - set(known)
    if unknown:
        raise NotUnderstood(f"fields {sorted(unknown)}")


# -- net-conf -------------------------------------------------------------------------------------

FIELDS = {
    "Network": "network", "SubnetMin": "subnet_min", "SubnetMax": "subnet_max",
    "SubnetLen": "subnet_len", "IPv6Network": "ipv6_network", "IPv6SubnetMin": "ipv6_subnet_min",
    "IPv6SubnetMax": "ipv6_subnet_max", "IPv6SubnetLen": "ipv6_subnet_len",
    "BackendType": "backend_type", "EnableIPv4": "enable_ipv4", "EnableIPv6": "enable_ipv6",
    "EnableNFTables": "enable_nftables",
}  # fmt: skip


def _config(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    _only(case, "config", "runValidation", "expect")
    config, expect = case["config"], dict(case["expect"])
    text = config if isinstance(config, str) else json.dumps(config)
    error = ""
    conf = NetConf()
    try:
        conf = parse_config(text)
        if case.get("runValidation"):
            conf = check_network_config(conf)
    except K8sNetError as refused:
        error = refused.message
    ok = expect.pop("ok")
    assert (not error) == ok, error or f"accepted: {conf}"
    asserted = 1
    if "error" in expect:
        assert error == expect.pop("error")
        asserted += 1
    for name, value in expect.items():
        if name not in FIELDS:
            raise NotUnderstood(f"expect {name}")
        found = getattr(conf, FIELDS[name])
        found = str(found) if isinstance(value, str) else found
        assert found == value, f"{name}: {found!r}, not {value!r}"
        asserted += 1
    return asserted, ()


# -- addresses ------------------------------------------------------------------------------------


def _key(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    _only(case, "key", "ipv4", "ipv6")
    found = ip.parse_subnet_key(case["key"])
    if case["ipv4"] is None:
        assert found is None
        return 1, ()
    assert found is not None
    assert (str(found[0]), found[1] and str(found[1])) == (case["ipv4"], case["ipv6"])
    assert ip.subnet_key(*found) == case["key"]
    return 3, ()


def _arithmetic(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    _only(case, "op", "a", "b", "expect")
    op, a, expect = case["op"], case["a"], case["expect"]
    found: object
    if op == "overlaps":
        found = ip.parse_cidr(a).overlaps(ip.parse_cidr(case["b"]))
    elif op == "contains":
        found = ip.parse_cidr(a).contains(ip.parse_ip4(case["b"]))
    elif op == "json":
        found = json.dumps(str(ip.parse_cidr(a)))
    elif op == "incrementIP":
        found = ip.incremented(ip.parse_cidr(a))
    elif op == "next":
        found = str(ip.following(ip.parse_cidr(a)))
    elif op == "network":
        found = str(ip.parse_cidr(a))
    elif op == "isPrivate":
        found = ip.is_private(ip.parse_ip4(a))
    elif op in ("parse4", "parse"):
        try:
            found = ip.parse_ip4(a)
        except ip.FlannelError:
            found = "error"
    else:
        raise NotUnderstood(f"op {op}")
    assert found == expect, f"{found!r}, not {expect!r}"
    return 1, ()


# -- subnet.env -----------------------------------------------------------------------------------


def _env(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    """The text of a subnet.env and what a variable of it says: one network, or a list."""
    names = ("subnetEnv", "content", "contents", "env", "text", "fileContent", "file_content")
    text = next((case[name] for name in names if name in case), None)
    key = case.get("key") or case.get("var") or case.get("variable")
    if not isinstance(text, str) or "expect" not in case:
        raise NotUnderstood(f"fields {sorted(case)}")
    if key is None:
        key = next(iter(subnet_env.read(text)))
    nets = [str(net) for net in (*subnet_env.subnets(text, key), *subnet_env.subnets6(text, key))]
    expect = case["expect"]
    if isinstance(expect, dict):
        values = [v for k, v in expect.items() if k not in ABOUT]
        if len(values) != 1:
            raise NotUnderstood(f"expect {sorted(expect)}")
        expect = values[0]
    if isinstance(expect, list):
        assert nets == expect
    elif isinstance(expect, bool):
        assert (not nets) == expect, f"empty: {not nets}"
    else:
        only = nets[0] if len(nets) == 1 else None
        assert only == (None if expect in (None, "", "empty", "0.0.0.0/0", "::/0") else expect)
    return 1, ()


def _docker(case: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    _only(case, "flags", "subnetEnv", "expectLines")
    flags = list(case["flags"])
    options: dict[str, Any] = {}
    while flags:
        flag = flags.pop(0)
        if flag == "-k":
            options["key"] = flags.pop(0)
        elif flag in ("-i", "-c", "-m"):
            name = {"-i": "individual", "-c": "combined", "-m": "ip_masq"}[flag]
            options[name] = flag != "-m"
        else:
            raise NotUnderstood(f"flag {flag}")
    lines = subnet_env.docker_opts(case["subnetEnv"], **options).splitlines()
    assert lines == case["expectLines"]
    return len(lines), ()
