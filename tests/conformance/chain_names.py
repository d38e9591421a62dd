"""Reads ``chain_names*.json``: names of chains from kube-proxy's and the CNI plugins' own tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8snetlib.kube.cni.chains import chain_name
from k8snetlib.kube.proxy.names import endpoint_chain, nft_name, service_chain
from tests.conformance.case import Case, NotUnderstood, known

ORIGIN = {"test", "file", "case", "note", "hashInput", "source"}


def _iptables(v: Mapping[str, Any]) -> int:
    known(v, ORIGIN | {"servicePortName", "protocol", "hash", "chains", "endpoint", "chain"})
    name, proto = v["servicePortName"], v["protocol"]
    if "endpoint" in v:
        made = [endpoint_chain(name, proto, v["endpoint"])]
        expected = [v["chain"]]
    else:
        expected = v.get("chains") or [v["chain"]]
        made = [service_chain(chain.split("-")[1], name, proto) for chain in expected]
    assert made == expected
    assert {chain.rpartition("-")[2] for chain in made} == {v["hash"]}
    return len(made) + 1


def _nftables(v: Mapping[str, Any]) -> int:
    known(v, ORIGIN | {"namespace", "name", "port", "protocol", "endpoint", "expected"})
    made = nft_name(v["namespace"], v["name"], v["port"], v["protocol"], v.get("endpoint", ""))
    assert made == v["expected"]
    return 1


def _cni(v: Mapping[str, Any]) -> int:
    known(v, ORIGIN | {"name", "id", "prefix", "expected"})
    assert chain_name(v["name"], v["id"], v.get("prefix", "")) == v["expected"]
    return 1


KINDS = {"iptables": _iptables, "nftables": _nftables, "cni": _cni}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    """A case for each name, in the order of the file."""
    for kind, part in document.items():
        if kind == "source":
            continue
        if kind not in KINDS:
            raise NotUnderstood(f"a part '{kind}'")
        known(part, {"algorithm", "source", "vectors", "note"})
        for n, vector in enumerate(part["vectors"]):
            yield Case(f"{kind}-{n}", lambda k=kind, v=vector: (KINDS[k](v), ()))
