"""What lives here: kube-proxy, one node's daemon, on the model's clock.

It watches the API server's Services, EndpointSlices and its own Node, and has the Proxier of its
mode (iptables, nftables, ipvs) tell the kernel what it needs to know. It acts by itself on three
occasions: something it watches changed; a sync failed (again after 30 seconds); somebody else
changed the kernel's rules. Of the last it notices little: every 30 seconds it looks if its canary
chains are still there, and once an hour (in IPVS mode every 30 seconds) it writes everything anew.

While it is stopped, or cut off from the API server, all that it has told the kernel stays: packets
for Services go on as it last knew. When it starts it knows nothing, and writes everything. What
another mode left behind it takes away, if it can tell that nothing of it is its own: iptables and
IPVS mode share chains, so between these two nobody cleans up (``kube-proxy --cleanup`` does).

When a UDP endpoint changed it also cleans up conntrack (see ``conntrack``), unless it is told not
to: older ones missed some flows, which then went to an address that nobody has any more.

Simplified here: no pause between syncs, and a sync takes no time; a write that would change nothing
is not made, so it zeroes no counters. Source: kube-proxy's cmd/kube-proxy/app and pkg/proxy.
"""

from __future__ import annotations

import re
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, cast

from k8snetlib.errors import NotModelled
from k8snetlib.kube.api import EndpointSlice, Node, Service
from k8snetlib.kube.apiserver import ApiServer, api_server
from k8snetlib.kube.proxy import conntrack, healthcheck
from k8snetlib.kube.proxy.config import ProxyConfig
from k8snetlib.kube.proxy.state import EndpointsMap, ServiceMap, endpoints_map, service_map
from k8snetlib.linux import service

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

UNIT = "kube-proxy"
RETRY = 30.0
HOUR = 3600.0
WATCHED = (Service, EndpointSlice, Node)
#: nf_conntrack_max as kube-proxy sets it: so much for each processor, but no less than the second.
MAX_PER_CORE, MIN = 32_768, 131_072
#: The processors of a node here.
PROCESSORS = 4
#: What it says when a sync failed, where that is not about iptables.
_FAILED = {"nftables": "nftables sync failed"}
#: Where a node keeps its configuration; of what may stand there only the mode and conntrack's
#: ``maxPerCore`` and ``min`` are read.
CONFIG = "/var/lib/kube-proxy/config.conf"
MODES = ("iptables", "nftables", "ipvs")
ROUTE_LOCALNET = "net.ipv4.conf.all.route_localnet"
#: The chain that iptables mode leaves in every table that it uses.
CANARY = "KUBE-PROXY-CANARY"
#: What it says in IPVS mode since Kubernetes 1.35.
DEPRECATED = (
    "The ipvs proxier is now deprecated and may be removed in a future release. "
    "Please use 'nftables' instead."
)


class Proxier(Protocol):
    """What every mode has."""

    def sync(self, services: ServiceMap, endpoints: EndpointsMap) -> None:
        """Brings the kernel to what these Services need."""

    def clean_up(self) -> None:
        """Takes away what this mode has told the kernel."""

    def clone(self, ns: Netns) -> Proxier:
        """The same for a copy of the node."""


def mode_in(text: str) -> str:
    """The mode that a configuration file names; empty if it names none.

    >>> mode_in('mode: "nftables"')
    'nftables'
    """
    found = re.findall(r"(?m)^mode:[ ]*[\"']?(\w*)[\"']?[ ]*$", text)
    return found[-1] if found else ""


def conntrack_max_in(text: str) -> int:
    """What a configuration file wants nf_conntrack_max to be; 0: it stays as it is.

    Source: kube-proxy's cmd/kube-proxy/app/server_linux.go, getConntrackMax.

    >>> conntrack_max_in(""), conntrack_max_in("conntrack:\\n  maxPerCore: 0\\n")
    (131072, 0)
    """
    block = re.search(r"(?m)^conntrack:[ ]*\n((?:[ ]+.*\n?)*)", text)
    found = dict(re.findall(r"(?m)^[ ]+(\w+):[ ]*(\d+)[ ]*$", block[1])) if block else {}
    each = int(found.get("maxPerCore", MAX_PER_CORE))
    return max(each * PROCESSORS, int(found.get("min", MIN))) if each else 0


def make_proxier(mode: str, ns: Netns, config: ProxyConfig) -> Proxier:
    """The Proxier of a mode; raises ``NotModelled`` for one that is not there."""
    try:
        module = import_module(f"k8snetlib.kube.proxy.{mode}")
    except ModuleNotFoundError:
        raise NotModelled(
            f"kube-proxy's mode {mode} is not modelled.", "Use iptables, nftables or ipvs."
        ) from None
    return cast(Proxier, module.Proxier(ns, config))


class KubeProxy(service.Service):
    """kube-proxy on one node.

    Parameters: ``mode`` is iptables, nftables or ipvs; ``config`` its options; ``cleans_conntrack``
    False: flows to UDP endpoints that are gone stay.
    """

    def __init__(
        self, ns: Netns, mode: str, config: ProxyConfig, *, cleans_conntrack: bool = True
    ) -> None:
        super().__init__(ns, UNIT, "Kubernetes Kube Proxy", "/usr/bin/kube-proxy")
        self.mode, self.config, self.cleans_conntrack = mode, config, cleans_conntrack
        self._unless_told = mode
        self._forget()

    def _forget(self) -> None:
        """What a process knows, and a new one does not."""
        self.proxier: Proxier | None = None
        self.seen = -1
        self.retry_at = self.canary_at = self.full_at = inf
        self.endpoints: EndpointsMap = {}
        self._writing = self._touched = False

    @property
    def api(self) -> ApiServer:
        """The API server it watches."""
        return api_server(self.network)

    # -- starting and ending --------------------------------------------------------------------

    def begin(self) -> None:
        """The process starts: it sets the kernel's switches, and syncs as soon as it can."""
        self._forget()
        self.mode = mode_in(self.ns.files.get(CONFIG, "")) or self._unless_told
        if self.mode not in MODES:
            self.say(
                "E",
                "server.go",
                f'"Error running ProxyServer" err="unknown proxy mode {self.mode!r}"',
            )
            self.exited(1)
            return
        self.proxier = make_proxier(self.mode, self.ns, self.config)
        self.say("I", "server_linux.go", f"Using {self.mode} Proxier")
        self._take_leftovers_away()
        if self.mode == "ipvs":
            self.say("E", "server_linux.go", DEPRECATED)
        self._set_sysctls()
        self._watch()
        self.api.watched_by(self.name, self.ns.name)
        for what in ("service", "endpoint slice", "node"):
            self.say("I", "config.go", f"Starting {what} config controller")
        self.look()

    def _take_leftovers_away(self) -> None:
        """Rules of modes that cannot be this one's, from an earlier life.

        Source: cmd/kube-proxy/app/server_linux.go, platformCleanup.
        """
        ns = self.ns
        if self.mode != "nftables":
            left = ["nftables"] if ns.ruleset.nft is not None else []
        else:
            ruled = any(CANARY in chains for chains in ns.ruleset.tables.values())
            left = [m for m, there in (("iptables", ruled), ("ipvs", ns.ruleset.ipvs)) if there]
        for mode in left:
            make_proxier(mode, ns, self.config).clean_up()

    def switch(self, mode: str) -> None:
        """Another mode: the process is started again with ``--proxy-mode=MODE``; raises
        ``NotModelled`` for a mode that is not there."""
        make_proxier(mode, self.ns, self.config)
        self.stop()
        self.configure(mode)
        self.start()

    def configure(self, mode: str) -> None:
        """Its configuration file says another mode, for the next start."""
        self.mode = mode
        head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        self.ns.files[CONFIG] = f"{head}mode: {mode}\n"

    def _watch(self) -> None:
        """Somebody changes rules (or devices, whose addresses IPVS serves): it may look again."""
        self.ns.ruleset.watchers[UNIT] = self._kernel_changed
        if self.mode == "ipvs":
            self.ns.watchers[UNIT] = self._kernel_changed

    def _set_sysctls(self) -> None:
        ns, config = self.ns, self.config
        if limit := conntrack_max_in(ns.files.get(CONFIG, "")):
            text = f'"Set sysctl" entry="net/netfilter/nf_conntrack_max" value={limit}'
            self.say("I", "conntrack.go", text)
            ns.conntrack.limit = limit
        if self.mode == "iptables" and config.localhost_node_ports:
            self.say(
                "I", "proxier.go", "Setting route_localnet=1 to allow node-ports on localhost; to "
                "change this either disable iptables.localhostNodePorts "
                "(--iptables-localhost-nodeports) or set nodePortAddresses (--nodeport-addresses) "
                "to filter loopback addresses",
            )  # fmt: skip
            ns.sysctls[ROUTE_LOCALNET] = 1

    def end(self) -> None:
        """SIGTERM: all that it told the kernel stays; its sockets close."""
        self.api.forget(self.name)
        self.ns.ruleset.watchers.pop(UNIT, None)
        self.ns.watchers.pop(UNIT, None)
        healthcheck.close(self.ns)
        self._forget()

    # -- what happens by itself -----------------------------------------------------------------

    def _kernel_changed(self) -> None:
        if not (self._writing or self._touched):
            self._touched = True
            self.look()

    def due(self) -> float:
        """When it acts next, as things stand."""
        if self.state != service.ACTIVE:
            return self.restart_at
        if self._news():
            return self.now
        if self._touched:
            self._check_kernel()
        own = getattr(self.proxier, "due", None)
        return min(self.retry_at, self.canary_at, self.full_at, own() if own else inf)

    def _news(self) -> bool:
        """True if something it watches changed, and it can know."""
        api = self.api
        if not api.reachable(self.ns.name):
            return False
        if self.seen < 0:
            return True
        if any(isinstance(change.value, WATCHED) for change in api.since(self.seen)):
            return True
        self.seen = api.revision
        return False

    def _check_kernel(self) -> None:
        """Somebody changed the rules: it will notice an hour after its last sync, or earlier if its
        canaries are gone."""
        self._touched = False
        gone = getattr(self.proxier, "canary_gone", None)
        if gone is None or not gone():
            self.canary_at = inf
        elif self.canary_at == inf:
            period = self.config.sync_period
            self.canary_at = self.since + (int((self.now - self.since) / period) + 1) * period
        period = getattr(self.proxier, "full_period", HOUR)
        self.full_at = min(self.full_at, max(self.now, self._synced + period))

    def act(self) -> None:
        """Does what is due."""
        if self.state != service.ACTIVE:
            super().act()
            return
        if self.canary_at <= self.now or self.full_at <= self.now:
            if self.canary_at <= self.now:
                self.say("I", "iptables.go", "Reloading after iptables flush")
            self._sync(full=True)
        elif self.retry_at <= self.now or self._news():
            self._sync()
        else:
            self._writing = True
            cast(Any, self.proxier).act()
            self._writing = False

    _synced = 0.0

    def _sync(self, *, full: bool = False) -> None:
        proxier, api = self.proxier, self.api
        assert proxier is not None
        first, self.seen = self.seen < 0, api.revision
        if first:
            self.say("I", "shared_informer.go", '"Caches are synced" controller="service config"')
        proxier = self._with_own_node(api)
        services = service_map(api.list(Service), self.config.family)
        endpoints = endpoints_map(api.list(EndpointSlice), self.config.node, self.config.family)
        if full and hasattr(proxier, "need_full"):
            cast(Any, proxier).need_full = True
        self._writing = True
        proxier.sync(services, endpoints)
        self._writing = False
        self._synced, self.retry_at, self.canary_at, self.full_at = self.now, inf, inf, inf
        error = getattr(proxier, "error", "")
        if error:
            failed = _FAILED.get(self.mode, "Failed to execute iptables-restore")
            self.say("E", "proxier.go", f'"{failed}" err="{error}"')
            self.say("I", "proxier.go", f'"Sync failed" retryingTime="{RETRY:.0f}s"')
            self.retry_at = self.now + RETRY
            return
        healthcheck.serve(self.ns, services, endpoints)
        if self.cleans_conntrack and conntrack.cleanup_required(self.endpoints, endpoints):
            conntrack.clean_stale(self.ns, services, endpoints)
        self.endpoints = endpoints

    def _with_own_node(self, api: ApiServer) -> Proxier:
        """The Proxier, made anew if the labels of the node changed: it then writes everything."""
        assert self.proxier is not None
        node = api.find(Node, "", self.config.node)
        if node is not None and node.labels != self.config.labels:
            self.config = self.config._replace(labels=node.labels)
            self.proxier = make_proxier(self.mode, self.ns, self.config)
        return self.proxier

    # -- copies ---------------------------------------------------------------------------------

    def clone(self, network: Network) -> KubeProxy:
        """The same kube-proxy, at the same point of its life, in a copy of the network."""
        ns = network.netns[self.ns.name]
        other = KubeProxy(ns, self.mode, self.config, cleans_conntrack=self.cleans_conntrack)
        self.copy_state(other)
        other._unless_told = self._unless_told
        other.proxier = self.proxier.clone(ns) if self.proxier else None
        other.seen, other.endpoints, other._synced = self.seen, self.endpoints, self._synced
        other.retry_at, other.canary_at = self.retry_at, self.canary_at
        other.full_at, other._touched = self.full_at, self._touched
        if self.running:
            other._watch()
        return other
