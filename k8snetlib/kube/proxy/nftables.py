"""What lives here: kube-proxy in nftables mode: what it writes into its own table of its node.

All of it lies in one table, ``kube-proxy``, that nobody else touches. A sync is one transaction:
chains of Services that changed are written anew, and elements that differ are added or deleted.
Everything is written at the start, after a sync that failed, when the node's labels changed and
once an hour. Chains of Services that are gone are emptied at once and deleted by a later sync, a
second after or more: a kernel before 6.2 may still hold on to them.

What may not live here: the rules of one Service port (``nftables_rules``), what stands once on a
node (``nftables_base``), when a sync comes (``daemon``).

Without ``--nodeport-addresses`` node ports are served on the node's primary address alone.

Simplified here: the node's addresses are read at each sync.
Source: kube-proxy's pkg/proxy/nftables/proxier.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from k8snetlib.kube.proxy import nftables_base as base
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.nftables_rules import (
    NODE_PORT_IPS,
    ElementAt,
    PortRules,
    port_rules,
    words_of,
)
from k8snetlib.kube.proxy.state import (
    EndpointInfo,
    EndpointsMap,
    ServiceMap,
    ServicePortInfo,
    ServicePortName,
    Written,
    family_of,
    rewritten,
)
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.nftables.keys import NftError, show_key
from k8snetlib.linux.nftables.table import Element, Table

FULL_SYNC_PERIOD = 3600.0
#: Seconds that an emptied chain waits before it is deleted.
STALE = 1.0
#: What the names of the Services' own chains begin with, and of their sets.
OWN_CHAINS = ("service-", "local-", "external-", "firewall-", "endpoint-")
OWN_SETS = ("affinity-",)


class Proxier:
    """kube-proxy's nftables mode on one node.

    ``transaction`` is what the last sync wrote, command by command; ``stale`` are emptied chains
    and since when (seconds); ``error`` is why the last sync failed ("" if it did not).
    """

    def __init__(self, ns: Netns, config: ProxyConfig) -> None:
        self.ns, self.config = ns, config
        self.family = words_of(config.family)[0]
        self.need_full = True
        self.last_full = -inf
        self.stale: dict[str, float] = {}
        self.transaction: tuple[str, ...] = ()
        self.error = ""
        self._ports: dict[ServicePortName, Written[PortRules]] = {}
        self._elements: dict[ElementAt, str] = {}

    @property
    def now(self) -> float:
        """The model's time in seconds."""
        return self.ns.network.now if self.ns.network else 0.0

    @property
    def table(self) -> Table | None:
        """kube-proxy's table in the kernel, if it is there."""
        nft = self.ns.ruleset.nft
        return nft.tables.get((self.family, base.TABLE)) if nft is not None else None

    # -- a sync ---------------------------------------------------------------------------------

    def sync(self, services: ServiceMap, endpoints: EndpointsMap) -> None:
        """Writes what is missing for these Services; afterwards ``error`` tells whether it went in.

        A transaction is all or nothing: one that fails changes nothing, and the next sync will
        write everything.
        """
        full = self.need_full or self.now - self.last_full > FULL_SYNC_PERIOD
        if full:
            self._elements = self._there()
        self._delete_stale()
        before = self._own_chains() if full else self._chain_names()
        changed = self._update(services, endpoints, full=full)
        after = self._chain_names()
        gone = before - after
        elements = self._wanted()
        self.transaction = tuple(self._commands(changed, gone, elements, full=full))
        self.error = self._write(self.transaction)
        if self.error:
            self.need_full = True
            return
        self.need_full, self._elements = False, elements
        self.stale = {name: at for name, at in self.stale.items() if name not in after}
        self.stale.update(dict.fromkeys(gone, self.now))
        if full:
            self.last_full = self.now

    def _write(self, commands: tuple[str, ...]) -> str:
        if not commands:
            return ""
        try:
            self.ns.ruleset.load_nft("\n".join(commands), self.now)
        except NftError as error:
            return str(error)
        return ""

    def _at(self, name: str) -> str:
        return f"{self.family} {base.TABLE} {name}"

    def _delete_stale(self) -> None:
        """A transaction of its own: chains that were emptied long enough ago."""
        table = self.table
        doomed = [name for name, since in self.stale.items() if self.now - since > STALE]
        for name in doomed:
            del self.stale[name]
        there = [name for name in doomed if table is not None and name in table.chains]
        if self._write(tuple(f"delete chain {self._at(name)}" for name in there)):
            self.need_full = True

    def _update(
        self, services: ServiceMap, endpoints: EndpointsMap, *, full: bool
    ) -> list[ServicePortName]:
        """Makes the rules of all Services of which a port changed; returns those ports."""

        def make(info: ServicePortInfo, own: tuple[EndpointInfo, ...]) -> PortRules:
            return port_rules(info, own, self.config)

        self._ports, changed = rewritten(self._ports, services, endpoints, make, full=full)
        return changed

    def _commands(
        self, changed: list[ServicePortName], gone: set[str], elements: dict[ElementAt, str],
        *, full: bool,
    ) -> Iterator[str]:  # fmt: skip
        if full:
            yield from base.setup(self.config)
        rules = [self._ports[name].rules for name in changed]
        for one in rules:
            for name, text in one.sets.items():
                yield f"add set {self._at(name)} {text}"
            for name in one.chains:
                yield f"add chain {self._at(name)}"
                yield f"flush chain {self._at(name)}"
        for one in rules:
            for name, lines in one.chains.items():
                for line in lines:
                    yield f"add rule {self._at(name)} {line}"
        yield from self._element_commands(elements)
        table = self.table
        for name in sorted(gone):
            if table is not None and name in table.chains:
                yield f"flush chain {self._at(name)}"
        known = {name for port in self._ports.values() for name in port.rules.sets}
        for name in table.sets if table is not None else ():
            if name.startswith(OWN_SETS) and name not in known:
                yield f"delete set {self._at(name)}"

    def _element_commands(self, elements: dict[ElementAt, str]) -> Iterator[str]:
        for at, text in self._elements.items():
            if elements.get(at) != text:
                yield f"delete element {self._at(at.name)} {{ {at.key} }}"
        for at, text in elements.items():
            if self._elements.get(at) != text:
                yield f"add element {self._at(at.name)} {{ {at.key}{' ' + text if text else ''} }}"

    # -- what is there, and what should be ------------------------------------------------------

    def _chain_names(self) -> set[str]:
        return {name for port in self._ports.values() for name in port.rules.chains}

    def _own_chains(self) -> set[str]:
        """Chains of Services in the kernel, of an earlier kube-proxy, too."""
        chains = self.table.chains if self.table is not None else ()
        fixed = base.chains(self.config)
        return {name for name in chains if name.startswith(OWN_CHAINS) and name not in fixed}

    def _wanted(self) -> dict[ElementAt, str]:
        found = {ElementAt(NODE_PORT_IPS, ip): "" for ip in self._node_ips()}
        for port in self._ports.values():
            found.update(port.rules.elements)
        return found

    def _there(self) -> dict[ElementAt, str]:
        """The elements that are in the kernel now."""
        if self.table is None:
            return {}
        return {
            ElementAt(own.name, show_key(own.kinds, key)): _text(element)
            for own in self.table.sets.values()
            if not own.name.startswith(OWN_SETS)
            for key, element in own.elements.items()
        }

    def _node_ips(self) -> tuple[str, ...]:
        """The node's addresses that serve node ports: never a loopback address."""
        config = self.config
        if not config.node_port_addresses.cidrs:
            return (config.node_ip,)
        own = config.node_ips or tuple(
            address.ip for device in self.ns.devices.values() for address in device.addresses
        )
        lengths = {"IPv4": 32, "IPv6": 128}
        addresses = {"": [f"{ip}/{lengths[family_of(ip)]}" for ip in own]}
        found = config.node_port_addresses.node_ips(addresses, config.family)
        return tuple(ip for ip in found if not ip.startswith("127.") and ip != "::1")

    def no_local_endpoints(self) -> tuple[int, int]:
        """How many ports have traffic of a Local policy, internal and external, and no endpoint on
        this node (``sync_proxy_rules_no_local_endpoints_total``)."""
        rules = [port.rules for port in self._ports.values()]
        return sum(r.no_local_internal for r in rules), sum(r.no_local_external for r in rules)

    # -- the end --------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """``kube-proxy --cleanup``: the table goes, with everything in it."""
        if self.table is not None:
            self._write((f"delete table {self.family} {base.TABLE}",))
        self._ports, self._elements, self.stale = {}, {}, {}
        self.need_full = True

    def clone(self, ns: Netns) -> Proxier:
        """The same for a copy of the node."""
        other = Proxier(ns, self.config)
        other.need_full, other.last_full = self.need_full, self.last_full
        other.stale, other.transaction = dict(self.stale), self.transaction
        other.error, other._ports, other._elements = self.error, self._ports, self._elements
        return other


def _text(element: Element) -> str:
    """What stands behind the key of an element."""
    comment = f'comment "{element.comment}" ' if element.comment else ""
    return f"{comment}: {element.data}" if element.data is not None else ""
