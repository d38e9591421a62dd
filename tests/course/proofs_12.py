"""What the model does in the cases of lesson 12's prediction cards (see ``test_cards``)."""

from __future__ import annotations

from collections.abc import Callable

from k8snetlib import Cluster
from k8snetlib.kube.cni.runtime import FILES, Runtime

CONFIG = {
    "cniVersion": "1.0.0", "name": "shop", "type": "bridge", "bridge": "cni0",
    "isDefaultGateway": True, "ipam": {"type": "host-local", "subnet": "10.77.0.0/29"},
}  # fmt: skip


def _runtime() -> Runtime:
    return Runtime(Cluster.example()["node1"], CONFIG)


def _who() -> str:
    told = _runtime().add("red")
    return "; ".join(change.what for change in told.changes if change.where == FILES)


def _next() -> str:
    runtime = _runtime()
    runtime.add("red")
    runtime.add("blue")
    runtime.delete("red")
    return runtime.add("green").address


def _twice() -> str:
    runtime = _runtime()
    runtime.add("red")
    runtime.delete("red")
    again = runtime.delete("red")
    return f"status {again.answer.status}, {len(again.changes)} changes"


def _leak() -> str:
    runtime = _runtime()
    for lost in ("blue", "green"):
        runtime.add(lost)
        runtime.lose(lost)
    got = [runtime.add(name).address for name in ("a", "b", "c", "d")]
    return f"{sum(map(bool, got))} of {len(got)} pods get an address"


#: card -> (what the model does, what of it the right choice must say, what proves it)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "12-who": (_who, "host-local", "10.77.0.2: red eth0"),
    "12-next": (_next, "10.77.0.4", "10.77.0.4/29"),
    "12-twice": (_twice, "Succeed, and change nothing", "status 0, 0 changes"),
    "12-leak": (_leak, "used up too early", "3 of 4 pods get an address"),
}
