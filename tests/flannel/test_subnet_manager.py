"""Leases in etcd: who gets which subnet, races, full pools, an etcd that cannot be reached."""

from __future__ import annotations

from random import Random

import pytest

from k8snetlib.etcd import api
from k8snetlib.etcd.agent import EtcdServer
from k8snetlib.etcd.api import EtcdUnreachable, Put
from k8snetlib.flannel.ip import FlannelError, parse_cidr
from k8snetlib.flannel.lease import (
    ADDED,
    REMOVED,
    Event,
    Lease,
    LeaseAttrs,
    LeaseWatcher,
    unmarshal,
)
from k8snetlib.flannel.registry import Registry, SubnetExists
from k8snetlib.flannel.subnet import CHOICE, EtcdSubnetManager
from k8snetlib.linux.network import Network

SMALL = '{"Network": "10.3.0.0/16", "SubnetMin": "10.3.1.0", "SubnetMax": "10.3.5.0"}'


class Bench:
    """An etcd with a net-conf, and managers that use it."""

    def __init__(self, conf: str = SMALL) -> None:
        self.network = Network()
        self.server = EtcdServer(self.network)
        self.network.agents.add(self.server)
        self.etcd = self.server.way()
        if conf:
            self.etcd.put(Put(b"/coreos.com/network/config", conf.encode()))
        self.said: list[str] = []

    def manager(
        self, previous: str = "", *, etcd: api.Etcd | None = None, seed: int = 1,
        on_conflict: str = "fail",
    ) -> EtcdSubnetManager:  # fmt: skip
        registry = Registry(
            etcd or self.etcd, lambda: self.network.now,
            log=lambda level, source, text: self.said.append(text),
        )  # fmt: skip
        before = parse_cidr(previous) if previous else None
        return EtcdSubnetManager(registry, Random(seed), before, on_conflict=on_conflict)

    def taken(self, subnet: str, public_ip: str = "9.9.9.9") -> None:
        self.manager().registry.create_subnet(parse_cidr(subnet), None, LeaseAttrs(public_ip))

    def keys(self) -> list[str]:
        prefix = b"/coreos.com/network/subnets/"
        kvs = self.etcd.range(api.Range(prefix, api.prefix_end(prefix))).kvs
        return [kv.key.decode().rsplit("/", 1)[1] for kv in kvs]


US = LeaseAttrs("1.2.3.4")

#: What is taken, the subnet we had before -> what we may get.
ACQUIRE = {
    "any of the free ones": ([], "", {f"10.3.{n}.0/24" for n in range(1, 6)}),
    "the only free one": (["10.3.1.0/24", "10.3.2.0/24", "10.3.4.0/24", "10.3.5.0/24"], "",
                          {"10.3.3.0/24"}),
    "the one we had": (["10.3.1.0/24"], "10.3.4.0/24", {"10.3.4.0/24"}),
    "not the one we had, if it is taken": (["10.3.4.0/24"], "10.3.4.0/24",
                                           {f"10.3.{n}.0/24" for n in (1, 2, 3, 5)}),
    "not the one we had, if it is outside": ([], "10.4.1.0/24",
                                             {f"10.3.{n}.0/24" for n in range(1, 6)}),
    "not the one we had, if it has another length": ([], "10.3.4.0/25",
                                                     {f"10.3.{n}.0/24" for n in range(1, 6)}),
    "nothing that overlaps a larger lease": (["10.3.0.0/22"], "",
                                             {"10.3.4.0/24", "10.3.5.0/24"}),
    "nothing that overlaps a smaller lease": (
        ["10.3.1.128/25", "10.3.2.0/26", "10.3.4.0/24", "10.3.5.0/24"], "", {"10.3.3.0/24"}),
}  # fmt: skip


@pytest.mark.parametrize(("taken", "before", "allowed"), ACQUIRE.values(), ids=ACQUIRE)
def test_acquiring(taken: list[str], before: str, allowed: set[str]) -> None:
    """Over twenty seeds exactly the allowed subnets come out."""
    found = set()
    for seed in range(20):
        bench = Bench()
        for subnet in taken:
            bench.taken(subnet)
        lease = bench.manager(before, seed=seed).acquire_lease(US)
        found.add(str(lease.subnet))
        assert len(bench.keys()) == len(taken) + 1
    assert found == allowed


def test_only_the_first_hundred_free_ones_are_drawn_from() -> None:
    found = {str(Bench('{"Network": "10.0.0.0/8"}').manager(seed=seed).acquire_lease(US).subnet)
             for seed in range(400)}  # fmt: skip
    numbers = sorted(
        int(subnet.split(".")[1]) * 256 + int(subnet.split(".")[2]) for subnet in found
    )
    assert numbers[0] >= 1
    assert numbers[-1] <= CHOICE
    assert len(found) > CHOICE / 2


def test_our_own_lease_is_kept_by_its_public_address() -> None:
    """The lease of our address is refreshed, with what we say now; two nodes with one address
    share it (the classic mistake behind a NAT)."""
    bench = Bench()
    first = bench.manager().acquire_lease(US)
    bench.network.advance(3600)
    again = bench.manager("10.3.5.0/24").acquire_lease(US._replace(backend_type="host-gw"))
    assert again.subnet == first.subnet
    assert len(bench.keys()) == 1
    assert again.expires == bench.network.now + 86400
    assert bench.manager().registry.get_subnet(first.subnet)[0].attrs.backend_type == "host-gw"


def test_a_lease_that_no_longer_fits_is_deleted_first() -> None:
    bench = Bench()
    bench.taken("10.3.9.0/24", "1.2.3.4")
    lease = bench.manager().acquire_lease(US)
    assert parse_cidr("10.3.9.0/24") != lease.subnet
    assert bench.keys() == [f"{lease.subnet.network}-24"]
    assert any("but not compatible with current config, deleting" in text for text in bench.said)


def test_a_key_without_an_etcd_lease_is_taken_and_never_ends() -> None:
    """A reservation by hand: nobody else gets it, and its own node does."""
    bench = Bench()
    key = bench.manager().registry.key_of(parse_cidr("10.3.2.0/24"))
    bench.etcd.put(Put(key, LeaseAttrs("7.7.7.7").marshal()))
    bench.network.advance(100 * 3600)
    got = {str(bench.manager().acquire_lease(LeaseAttrs(f"1.1.1.{n}")).subnet) for n in range(4)}
    assert got == {f"10.3.{n}.0/24" for n in (1, 3, 4, 5)}
    assert str(bench.manager().acquire_lease(LeaseAttrs("7.7.7.7")).subnet) == "10.3.2.0/24"


def test_a_lease_lives_a_day_and_is_deleted_with_its_keys() -> None:
    bench = Bench()
    bench.manager().acquire_lease(US)
    bench.network.advance(86399)
    assert len(bench.keys()) == 1
    bench.network.advance(1)
    assert bench.keys() == []


class Rival:
    """An etcd where somebody else is quicker: each grant is followed by a stranger's lease."""

    def __init__(self, bench: Bench, times: int) -> None:
        self.bench, self.times = bench, times

    def __getattr__(self, name: str) -> object:
        return getattr(self.bench.etcd, name)

    def txn(self, request: api.Txn) -> api.TxnResponse:
        if self.times:
            self.times -= 1
            key = request.compare[0].key
            self.bench.etcd.put(Put(key, LeaseAttrs(f"8.8.8.{self.times}").marshal()))
        return self.bench.etcd.txn(request)


@pytest.mark.parametrize(
    ("mode", "times", "says"),
    [
        ("fail", 0, ""),
        ("fail", 1, "subnet already exists"),
        ("retry", 1, ""),
        ("retry", 3, ""),
        ("retry", 10, "Max retries reached trying to acquire a subnet"),
    ],
)
def test_a_lost_race(mode: str, times: int, says: str) -> None:
    """Today's code gives up at once; the code for etcd v2 tried again. The etcd lease of a lost
    transaction is revoked, and nothing is overwritten."""
    bench = Bench('{"Network": "10.3.0.0/16"}')
    manager = bench.manager(etcd=Rival(bench, times), on_conflict=mode)  # type: ignore[arg-type]
    if says:
        with pytest.raises(FlannelError, match=says):
            manager.acquire_lease(US)
    else:
        assert manager.acquire_lease(US).attrs == US
    assert len(bench.etcd.leases()) == (0 if says else 1)
    assert len(bench.keys()) == times + (0 if says else 1)


def test_out_of_subnets() -> None:
    """Nothing is free: flannel's error, and nothing has changed."""
    bench = Bench()
    for n in range(1, 6):
        bench.taken(f"10.3.{n}.0/24", f"5.5.5.{n}")
    before, leases = bench.keys(), bench.etcd.leases()
    with pytest.raises(FlannelError, match="out of subnets"):
        bench.manager().acquire_lease(US)
    assert (bench.keys(), bench.etcd.leases()) == (before, leases)


BROKEN = {
    "": "flannel config not found in etcd store. Did you create your config using etcdv3 API?",
    "{": "unexpected end of JSON input",
    '{"Network": "10.3.0.0/29"}': "network is too small. Minimum useful network prefix is /28",
}


@pytest.mark.parametrize(("conf", "says"), BROKEN.items())
def test_without_a_good_net_conf_nothing_is_leased(conf: str, says: str) -> None:
    bench = Bench(conf)
    with pytest.raises(FlannelError) as refused:
        bench.manager().acquire_lease(US)
    assert refused.value.message == says
    assert bench.keys() == []


def test_an_etcd_that_nobody_reaches() -> None:
    bench = Bench()
    bench.server.cut("here")
    manager = bench.manager(etcd=bench.server.way("here"))
    for call in (lambda: manager.acquire_lease(US), manager.watch_leases,
                 lambda: manager.renew_lease(Lease(parse_cidr("10.3.1.0/24"), US))):  # fmt: skip
        with pytest.raises(EtcdUnreachable):
            call()
    bench.server.reconnect("here")
    assert manager.acquire_lease(US)


def test_rubbish_in_etcd_is_passed_over() -> None:
    bench = Bench()
    base = "/coreos.com/network/subnets/"
    for key, value in (("10.3.1.0", "{}"), ("10.3.1.0-24", "rubbish"), ("x", "{}"),
                       ("10.3.2.0-24", '{"PublicIP": "1.2"}')):  # fmt: skip
        bench.etcd.put(Put(f"{base}{key}".encode(), value.encode()))
    assert bench.manager().registry.get_subnets()[0] == ()
    assert sum("Ignoring bad subnet node" in text for text in bench.said) == 4


def test_creating_is_atomic() -> None:
    bench = Bench()
    bench.taken("10.3.1.0/24", "5.5.5.5")
    registry = bench.manager().registry
    with pytest.raises(SubnetExists):
        registry.create_subnet(parse_cidr("10.3.1.0/24"), None, US)
    assert registry.get_subnet(parse_cidr("10.3.1.0/24"))[0].attrs.public_ip == "5.5.5.5"


@pytest.mark.parametrize(
    ("attrs", "value"),
    [
        (US, b'{"PublicIP":"1.2.3.4","PublicIPv6":null}'),
        (LeaseAttrs("192.168.64.3", None, "vxlan", '{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}'),
         b'{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan",'
         b'"BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'),
        (LeaseAttrs("1.2.3.4", "fd00::1", "host-gw"),
         b'{"PublicIP":"1.2.3.4","PublicIPv6":"fd00::1","BackendType":"host-gw"}'),
    ],
)  # fmt: skip
def test_the_value_of_a_lease(attrs: LeaseAttrs, value: bytes) -> None:
    assert attrs.marshal() == value
    assert unmarshal(value) == attrs


# -- watching -------------------------------------------------------------------------------------


def test_a_watch_resumes_behind_a_compaction() -> None:
    """While it was cut off, etcd forgot the history: a list, then events again."""
    bench = Bench()
    manager = bench.manager(etcd=bench.server.way("here"))
    mine = manager.acquire_lease(US)
    watcher = LeaseWatcher(mine.networks)
    bench.taken("10.3.9.0/24")
    first, stream = manager.watch_leases()
    stream.poll()
    assert [e.type for e in watcher.reset(first.snapshot or ())] == [ADDED]
    bench.server.cut("here")
    assert stream.poll() == []
    bench.manager().registry.delete_subnet(parse_cidr("10.3.9.0/24"))
    bench.taken("10.3.8.0/24")
    bench.etcd.compact(bench.etcd.put(Put(b"/other", b"1")).revision)
    bench.server.reconnect("here")
    (result,) = stream.poll()
    assert result.snapshot is not None
    events = watcher.reset(result.snapshot)
    assert [(e.type, str(e.lease.subnet)) for e in events] == [
        (ADDED, "10.3.8.0/24"), (REMOVED, "10.3.9.0/24"),
    ]  # fmt: skip
    assert any("fell behind compaction, re-listing" in text for text in bench.said)
    bench.taken("10.3.7.0/24")
    (result,) = stream.poll()
    assert [str(e.lease.subnet) for e in result.events] == ["10.3.7.0/24"]


def test_a_snapshot_does_not_announce_what_is_known() -> None:
    """Not even if it has changed; an event does, also for a renewal that changes nothing."""
    old, new = (Lease(parse_cidr("10.3.1.0/24"), LeaseAttrs(ip)) for ip in ("1.1.1.1", "2.2.2.2"))
    watcher = LeaseWatcher((parse_cidr("10.3.9.0/24"), None))
    assert watcher.reset([old]) == [Event(ADDED, old)]
    assert watcher.reset([new]) == []
    assert watcher.update([Event(ADDED, new)]) == [Event(ADDED, new)]
    bare = Lease(old.subnet, LeaseAttrs())
    assert watcher.update([Event(REMOVED, bare)]) == [Event(REMOVED, new)], "with what was known"
    own = Lease(parse_cidr("10.3.9.0/24"), US)
    assert watcher.update([Event(ADDED, own), Event(REMOVED, own)]) == []
    assert watcher.reset([own]) == []
