"""What lives here: flannel's subnet manager over etcd: who gets which subnet, and for how long.

Acquiring, in this order: the lease that already has our public address is refreshed (two nodes
with one address therefore share one lease: the classic mistake behind a NAT); else the subnet of
``subnet.env``, if nobody holds it; else one out of the first hundred free ones, at random. It is
created atomically. Somebody else may be quicker: flannel over etcd v2 then tried again, up to ten
times (``on_conflict="retry"``); today's code means to, but tests for another error than the one
that comes, so flanneld gives up, and who restarts it retries (``"fail"``, the default).

Renewing writes the lease again under a new etcd lease of 24 hours, an hour before the old one ends
(``--subnet-lease-renew-margin``); a renewal that fails is tried again every minute.

Source: flannel's pkg/subnet/etcd/local_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Protocol

from k8snetlib.address import Prefix, number
from k8snetlib.flannel.config import NetConf, check_network_config, parse_config
from k8snetlib.flannel.ip import FlannelError, IP6Net, number6
from k8snetlib.flannel.lease import Lease, LeaseAttrs
from k8snetlib.flannel.registry import Registry, Stream, SubnetExists, WatchResult

RACE_RETRIES = 10
#: So many free subnets are collected before one is drawn.
CHOICE = 100


class Watching(Protocol):
    """An open watch of leases; ``retry_at`` is when it is opened again if it is closed."""

    retry_at: float

    def poll(self) -> list[WatchResult]:
        """What has come since the last call."""


class EtcdSubnetManager:
    """Leases in etcd.

    Parameters: ``random`` is the source of chance; ``previous`` (and ``previous6``) is the subnet
    of ``subnet.env``; ``on_conflict`` is "fail" or "retry" (see above).
    """

    def __init__(
        self, registry: Registry, random: Random, previous: Prefix | None = None,
        previous6: IP6Net | None = None, *, on_conflict: str = "fail",
    ) -> None:  # fmt: skip
        self.registry = registry
        self.random = random
        self.previous = previous
        self.previous6 = previous6
        self.on_conflict = on_conflict

    @property
    def name(self) -> str:
        """As flanneld's journal calls it."""
        return f"Etcd Local Manager with Previous Subnet: {self.previous or 'None'}"

    def get_network_config(self) -> NetConf:
        """The net-conf, checked; raises ``FlannelError`` or ``EtcdError``."""
        return check_network_config(parse_config(self.registry.get_network_config()))

    # -- acquiring ------------------------------------------------------------------------------

    def acquire_lease(self, attrs: LeaseAttrs) -> Lease:
        """A lease for the node with these attributes; raises ``FlannelError`` or ``EtcdError``."""
        conf = self.get_network_config()
        for _ in range(RACE_RETRIES):
            try:
                return self._try(conf, attrs)
            except SubnetExists:
                if self.on_conflict == "fail":
                    raise
        raise FlannelError("Max retries reached trying to acquire a subnet")

    def _try(self, conf: NetConf, attrs: LeaseAttrs) -> Lease:
        registry = self.registry
        leases, _ = registry.get_subnets(expiry=False)
        ours = next((le for le in leases if le.attrs.public_ip == attrs.public_ip), None)
        if ours is not None:
            names = f"(ip: {ours.subnet} ipv6: {_or_none(ours.subnet6)})"
            if conf.allows(*ours.networks):
                self._log("I", f"Found lease {names} for current IP ({attrs.public_ip}), reusing")
                expires = registry.update_subnet(*ours.networks, attrs)
                return ours._replace(attrs=attrs, expires=expires)
            self._log(
                "I", f"Found lease {names} for current IP ({attrs.public_ip}) but not compatible "
                "with current config, deleting",
            )  # fmt: skip
            registry.delete_subnet(*ours.networks)
        subnet, subnet6 = self._previous(conf, leases) or self._allocate(conf, leases)
        expires = registry.create_subnet(subnet, subnet6, attrs)
        text = f"Allocated lease (ip: {subnet} ipv6: {_or_none(subnet6)}) to current node"
        self._log("I", f"{text} ({attrs.public_ip})")
        return Lease(subnet, attrs, subnet6, expires)

    def _previous(
        self, conf: NetConf, leases: Iterable[Lease]
    ) -> tuple[Prefix, IP6Net | None] | None:
        previous = self.previous
        if previous is None or any(lease.subnet == previous for lease in leases):
            return None
        if conf.allows(previous, self.previous6):
            self._log("I", f"Found previously leased subnet ({previous}), reusing")
            return previous, self.previous6
        self._log(
            "E", f"Found previously leased subnet ({previous}) that is not compatible with the "
            "Etcd network config, ignoring",
        )  # fmt: skip
        return None

    def _allocate(self, conf: NetConf, leases: Iterable[Lease]) -> tuple[Prefix, IP6Net | None]:
        low, high = number(conf.subnet_min), number(conf.subnet_max)
        self._log("I", f"Picking subnet in range {conf.subnet_min} ... {conf.subnet_max}")
        step = 1 << 32 - conf.subnet_len
        taken = [(lease.subnet.net, lease.subnet.length) for lease in leases]
        free = free_starts(low, high, step, taken, conf.subnet_len, 32)
        if not free:
            raise FlannelError("out of subnets")
        if not conf.enable_ipv6:
            return Prefix(self.random.choice(free), conf.subnet_len), None
        text = f"Picking ipv6 subnet in range {conf.ipv6_subnet_min} ... {conf.ipv6_subnet_max}"
        self._log("I", text)
        low, high = number6(conf.ipv6_subnet_min), number6(conf.ipv6_subnet_max)
        taken = [lease.subnet6 for lease in leases if lease.subnet6 is not None]
        length = conf.ipv6_subnet_len
        free6 = free_starts(low, high, 1 << 128 - length, taken, length, 128)
        if not free6:
            raise FlannelError("out of subnets")
        subnet = Prefix(self.random.choice(free), conf.subnet_len)
        return subnet, IP6Net(self.random.choice(free6), length)

    # -- keeping --------------------------------------------------------------------------------

    def renew_lease(self, lease: Lease) -> Lease:
        """The lease with another 24 hours; raises ``EtcdError``."""
        return lease._replace(expires=self.registry.update_subnet(*lease.networks, lease.attrs))

    def watch_leases(self) -> tuple[WatchResult, Stream]:
        """All leases now, and a watch of what comes after; raises ``EtcdError``."""
        leases, revision = self.registry.get_subnets(expiry=False)
        return WatchResult((), leases, revision), self.registry.watch_subnets(revision + 1)

    def watch_lease(self, lease: Lease) -> tuple[WatchResult, Stream]:
        """One lease now, and a watch of what comes after; raises ``EtcdError``."""
        found, revision = self.registry.get_subnet(*lease.networks)
        stream = self.registry.watch_subnet(revision + 1, *lease.networks)
        return WatchResult((), (found,), revision), stream

    def expires(self, lease: Lease) -> float | None:
        """When a lease that a watch announced ends, on the model's clock."""
        return self.registry.get_subnet(*lease.networks)[0].expires

    def clone_stream(self, stream: Stream) -> Stream:
        """A watch of the original on this manager's etcd, a copy of the original's."""
        return stream.clone(self.registry)

    def _log(self, level: str, text: str) -> None:
        self.registry.log(level, "local_manager.go", text)


def free_starts(
    low: int, high: int, step: int, taken: Iterable[tuple[int, int]], length: int, bits: int
) -> list[int]:
    """The first addresses of up to ``CHOICE`` subnets that overlap nothing taken, from the lowest.

    Parameters: ``step`` is a subnet's size and ``length`` its prefix length; ``taken`` are (first
    address, length); ``bits`` is 32 or 128.
    """
    within: set[int] = set()
    around: list[tuple[int, int]] = []
    for net, other in taken:
        if other >= length:
            within.add(net & ~(step - 1))
        else:
            around.append((net, net + (1 << bits - other)))
    free: list[int] = []
    at = low
    while at <= high and len(free) < CHOICE:
        beyond = next((end for start, end in around if start <= at < end), None)
        if beyond is not None:
            at = beyond + -(beyond - low) % step
            continue
        if at not in within:
            free.append(at)
        at += step
    return free


def _or_none(subnet6: IP6Net | None) -> str:
    return "::/0" if subnet6 is None else str(subnet6)
