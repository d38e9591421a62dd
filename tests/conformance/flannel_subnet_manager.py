# ruff: noqa: N802, N815 - the methods are called as the ops and expectations of the files
"""Reads ``flannel_subnet_manager*.json``: scenarios of flannel's leases in etcd.

Each case runs on an etcd of its own, as part of a network whose clock the case moves. Watches are
opened by the case and asked at each expectation; the random choice of a subnet is free within
``subnetOneOf``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from k8snetlib.errors import K8sNetError
from k8snetlib.etcd import api
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.flannel.ip import parse_cidr
from k8snetlib.flannel.lease import Event, Lease, LeaseAttrs, LeaseWatcher
from k8snetlib.flannel.registry import Registry, Stream
from k8snetlib.flannel.subnet import EtcdSubnetManager
from k8snetlib.linux.network import Network
from tests.conformance.case import Case, NotUnderstood, left_out

KIND = "flannel_subnet_manager"
#: The names that flannel's source has for its errors -> (part of) their texts.
ERRORS = {
    "errConfigNotFound": "flannel config not found in etcd store",
    "errSubnetAlreadyexists": "subnet already exists",
    "errTryAgain": "try again",
    "errKeyNotFound": "key not found",
    "ErrGRPCKeyNotFound": "key not found",
    "rpctypes.ErrGRPCKeyNotFound": "key not found",
}
FIELDS = {
    "test", "file", "case", "note", "origin", "derived", "config", "existingLeases", "setup",
    "steps", "onConflict",
}  # fmt: skip


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    for n, case in enumerate(document["cases"]):
        yield Case(f"{n}-{case['case']}", lambda case=case: Scenario(case).run())


class Scenario:
    """One case: an etcd, one flannel's view of it, and what the case has opened."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self.case = case
        self.network = Network(1)
        self.server = EtcdServer(self.network)
        self.network.agents.add(self.server)
        self.etcd = self.server.way()
        self.registry = Registry(self.etcd, lambda: self.network.now)
        self.manager = self._manager({})
        self.lease: Lease | None = None
        self.watcher: LeaseWatcher | None = None
        self.streams: list[Stream] = []
        #: What a watch began with, and what came since the last step.
        self.first: list[Event] = []
        self.fresh: list[Event] = []
        self.snapshot: list[Lease] = []
        self.asserted = 0
        self.omitted: list[str] = []

    def run(self) -> tuple[int, tuple[str, ...]]:
        unknown = set(self.case) - FIELDS
        if unknown:
            raise NotUnderstood(f"fields {sorted(unknown)}")
        if "config" in self.case:
            self._set_config(self.case["config"])
        for lease in self.case.get("existingLeases", []):
            self._create(lease)
        for step in (*self.case.get("setup", []), *self.case["steps"]):
            self._step(step)
        return self.asserted, tuple(self.omitted)

    # -- doing ----------------------------------------------------------------------------------

    def _manager(self, step: Mapping[str, Any]) -> EtcdSubnetManager:
        previous = step.get("previousSubnet")
        conflict = step.get("onConflict") or self.case.get("onConflict", "fail")
        return EtcdSubnetManager(
            self.registry, Random(7), parse_cidr(previous) if previous else None,
            on_conflict=conflict,
        )  # fmt: skip

    def _set_config(self, config: Any) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        self.etcd.put(api.Put(self.registry.config_key(), text.encode()))

    def _attrs(self, step: Mapping[str, Any]) -> LeaseAttrs:
        data = step.get("backendData")
        text = "" if data is None else json.dumps(data, separators=(",", ":"))
        return LeaseAttrs(step.get("publicIP", "1.2.3.4"), None, step.get("backendType", ""), text)

    def _create(self, lease: Mapping[str, Any]) -> None:
        subnet, attrs = parse_cidr(lease["subnet"]), self._attrs(lease)
        if lease.get("ttlSeconds", 86400) in (None, 0) or lease.get("reservation"):
            self.etcd.put(api.Put(self.registry.key_of(subnet), attrs.marshal()))
        else:
            self.registry.create_subnet(subnet, None, attrs, lease.get("ttlSeconds", 86400))

    def _step(self, step: Mapping[str, Any]) -> None:
        op, expect = step["op"], dict(step.get("expect", {}))
        if left_out(KIND, op):
            self.omitted.append(op)
            return
        do = getattr(self, f"op_{op}", None)
        if do is None:
            raise NotUnderstood(f"op {op}")
        found: dict[str, Any] = {}
        error, self.first = "", []
        try:
            found = do(step) or {}
        except K8sNetError as refused:
            error = refused.message
        self._listen()
        wanted = expect.pop("error", None)
        if wanted:
            assert ERRORS.get(wanted, wanted) in error, f"{error!r}, not {wanted!r}"
            self.asserted += 1
        else:
            assert not error, f"{op}: {error}"
        for name, value in expect.items():
            check = getattr(self, f"expect_{name}", None)
            if name == "ttlToleranceSeconds":
                continue
            if check is None:
                raise NotUnderstood(f"expect {name}")
            check(value, found, step)
            self.asserted += 1

    def _listen(self) -> None:
        """What has come to the open watches since the last step."""
        self.fresh, self.snapshot = [], []
        for stream in self.streams:
            for result in stream.poll():
                if result.snapshot is not None:
                    self.snapshot += result.snapshot
                    if self.watcher is not None:
                        self.fresh += self.watcher.reset(result.snapshot)
                    elif stream.one is not None:
                        self.fresh += [Event("Added", lease) for lease in result.snapshot]
                elif self.watcher is not None:
                    self.fresh += self.watcher.update(result.events)
                else:
                    self.fresh += result.events

    def op_acquire(self, step: Mapping[str, Any]) -> dict[str, Any]:
        self.manager = self._manager(step)
        former = self.lease
        self.lease = self.manager.acquire_lease(self._attrs(step))
        return {"lease": self.lease, "former": former}

    def op_renew(self, step: Mapping[str, Any]) -> dict[str, Any]:
        assert self.lease is not None
        before = self.lease.attrs
        self.lease = self.manager.renew_lease(self.lease)
        return {"lease": self.lease, "before": before}

    def op_createSubnet(self, step: Mapping[str, Any]) -> dict[str, Any]:
        subnet, attrs = parse_cidr(step["subnet"]), self._attrs(step)
        end = self.registry.create_subnet(subnet, None, attrs, step.get("ttlSeconds", 86400))
        return {"lease": Lease(subnet, attrs, None, end)}

    def op_updateSubnet(self, step: Mapping[str, Any]) -> dict[str, Any]:
        subnet, attrs = parse_cidr(step["subnet"]), self._attrs(step)
        end = self.registry.update_subnet(subnet, None, attrs, step.get("ttlSeconds", 86400))
        return {"lease": Lease(subnet, attrs, None, end)}

    def op_deleteSubnet(self, step: Mapping[str, Any]) -> dict[str, Any]:
        self.registry.delete_subnet(parse_cidr(step["subnet"]))
        return {"lease": Lease(parse_cidr(step["subnet"]), LeaseAttrs())}

    def op_getSubnet(self, step: Mapping[str, Any]) -> dict[str, Any]:
        lease, _ = self.registry.get_subnet(parse_cidr(step["subnet"]))
        return {"lease": lease}

    def op_getSubnets(self, step: Mapping[str, Any]) -> dict[str, Any]:
        leases, _ = self.registry.get_subnets()
        return {"leases": leases}

    def op_put(self, step: Mapping[str, Any]) -> None:
        self.etcd.put(api.Put(step["key"].encode(), step["value"].encode()))

    def op_deleteKey(self, step: Mapping[str, Any]) -> dict[str, Any]:
        key = step.get("key", "").encode()
        if not key or step.get("key") == "own lease":
            assert self.lease is not None
            key = self.registry.key_of(self.lease.subnet)
        self.etcd.delete_range(api.DeleteRange(key))
        return {"key": key}

    def op_getNetworkConfig(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": self.registry.get_network_config()}

    def op_setConfig(self, step: Mapping[str, Any]) -> None:
        self._set_config(step.get("config", step.get("value")))

    def op_advanceTime(self, step: Mapping[str, Any]) -> None:
        self.network.advance(step["seconds"])

    def op_bumpAndCompact(self, step: Mapping[str, Any]) -> None:
        revision = 0
        for n in range(step["puts"]):
            put = api.Put(step["key"].encode(), str(n).encode())
            revision = self.etcd.put(put).revision
        if step.get("compactAt") not in (None, "revision of the last put"):
            raise NotUnderstood(f"compactAt {step['compactAt']}")
        self.etcd.compact(revision)

    def op_restartEtcd(self, step: Mapping[str, Any]) -> None:
        self.server.stop()
        self._listen()
        self.server.start()

    def op_startWatchLeases(self, step: Mapping[str, Any]) -> None:
        assert self.lease is not None, "flannel watches once it has a lease"
        self.watcher = LeaseWatcher(self.lease.networks)
        result, stream = self.manager.watch_leases()
        self._begin(stream, self.watcher.reset(result.snapshot or ()))

    def op_startWatchOwnLease(self, step: Mapping[str, Any]) -> None:
        assert self.lease is not None
        result, stream = self.manager.watch_lease(self.lease)
        self._begin(stream, [Event("Added", lease) for lease in result.snapshot or ()])

    def _begin(self, stream: Stream, first: list[Event]) -> None:
        stream.poll()
        self.streams.append(stream)
        self.first = first

    def op_startWatchSubnets(self, step: Mapping[str, Any]) -> None:
        self.streams.append(self.registry.watch_subnets(step.get("sinceRevision", 0)))

    def op_startWatchSubnet(self, step: Mapping[str, Any]) -> None:
        since, subnet = step.get("sinceRevision", 0), parse_cidr(step["subnet"])
        self.streams.append(self.registry.watch_subnet(since, subnet))

    def op_cancel(self, step: Mapping[str, Any]) -> None:
        for stream in self.streams:
            if stream.watch is not None:
                stream.watch.cancel()
        self.streams = []

    # -- expecting ------------------------------------------------------------------------------

    def expect_subnet(self, value: str, found: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        assert str(found["lease"].subnet) == value

    def expect_subnetOneOf(self, value: list[str], found: Any, step: Any) -> None:
        assert str(found["lease"].subnet) in value

    def expect_subnetNot(self, value: str, found: Any, step: Any) -> None:
        assert str(found["lease"].subnet) != value

    def expect_sameSubnet(self, value: bool, found: Mapping[str, Any], step: Any) -> None:
        assert (found["lease"].networks == found["former"].networks) == bool(value)

    expect_sameAsBefore = expect_sameAsPrevious = expect_sameSubnetAsBefore = expect_sameSubnet
    expect_subnetUnchanged = expect_reused = expect_sameSubnet

    def expect_subnetIn(self, value: str, found: Mapping[str, Any], step: Any) -> None:
        subnet = found["lease"].subnet
        if isinstance(value, str):
            assert parse_cidr(value).contains(subnet.network)
        else:
            assert str(subnet) in value or subnet.network in value

    expect_subnetInNetwork = expect_inNetwork = expect_subnetWithin = expect_subnetIn

    def expect_value(self, value: str, found: Mapping[str, Any], step: Any) -> None:
        text = found.get("value")
        if text is None:
            key = self.registry.key_of(found["lease"].subnet)
            text = self.etcd.range(api.Range(key)).kvs[0].value.decode()
        assert text == value

    def expect_key(self, value: str, found: Mapping[str, Any], step: Any) -> None:
        assert self.etcd.range(api.Range(value.encode())).kvs
        assert self.registry.key_of(found["lease"].subnet).decode() == value

    def expect_keyGone(self, value: bool, found: Mapping[str, Any], step: Any) -> None:
        key = found.get("key") or self.registry.key_of(found["lease"].subnet)
        assert (not self.etcd.range(api.Range(key)).kvs) == value

    def expect_found(self, value: bool, found: Mapping[str, Any], step: Any) -> None:
        assert ("lease" in found) == value

    def expect_count(self, value: int, found: Mapping[str, Any], step: Any) -> None:
        assert len(found["leases"]) == value

    def expect_subnets(self, value: list[str], found: Mapping[str, Any], step: Any) -> None:
        assert [str(lease.subnet) for lease in found["leases"]] == value

    def expect_expirationInFuture(self, value: bool, found: Any, step: Any) -> None:
        assert (found["lease"].expires > self.network.now) == value

    def _ttl(self, found: Mapping[str, Any]) -> float:
        kv = self.etcd.range(api.Range(self.registry.key_of(found["lease"].subnet))).kvs[0]
        return self.etcd.time_to_live(kv.lease).ttl

    def expect_ttlSeconds(self, value: int, found: Any, step: Mapping[str, Any]) -> None:
        tolerance = step["expect"].get("ttlToleranceSeconds", 0)
        assert abs(self._ttl(found) - value) <= tolerance

    def expect_ttlRange(self, value: list[int], found: Any, step: Any) -> None:
        assert value[0] <= self._ttl(found) <= value[1]

    def expect_attrsUnchanged(self, value: bool, found: Mapping[str, Any], step: Any) -> None:
        now, _ = self.registry.get_subnet(found["lease"].subnet)
        assert (now.attrs == found["before"]) == value

    def expect_events(self, value: list[Mapping[str, Any]], found: Any, step: Any) -> None:
        self._same([*self.first, *self.fresh], value)

    def expect_watchEvents(self, value: list[Mapping[str, Any]], found: Any, step: Any) -> None:
        self._same(self.fresh, value)

    def _same(self, events: list[Event], value: list[Mapping[str, Any]]) -> None:
        seen = []
        for event, wanted in zip(events, value, strict=False):
            unknown = set(wanted) - {"type", "subnet", "publicIP", "backendType"}
            if unknown:
                raise NotUnderstood(f"event fields {sorted(unknown)}")
            subnet = str(event.lease.subnet)
            if wanted.get("subnet") in ("own", "own lease") and self.lease is not None:
                subnet = wanted["subnet"] if event.lease.subnet == self.lease.subnet else subnet
            full = {"type": event.type, "subnet": subnet, "publicIP": event.lease.attrs.public_ip,
                    "backendType": event.lease.attrs.backend_type}  # fmt: skip
            seen.append({name: full[name] for name in wanted})
        assert len(events) == len(value), f"{[*map(str, events)]}, not {value}"
        assert seen == [dict(wanted) for wanted in value]

    def expect_snapshotContains(self, value: list[str], found: Any, step: Any) -> None:
        assert set(value) <= {str(lease.subnet) for lease in self.snapshot}

    def expect_snapshot(self, value: list[str], found: Any, step: Any) -> None:
        assert [str(lease.subnet) for lease in self.snapshot] == value

    def expect_notSubnet(self, value: str, found: Any, step: Any) -> None:
        assert str(found["lease"].subnet) != value
