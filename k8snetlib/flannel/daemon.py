"""What lives here: flanneld, one node's daemon, on the model's clock.

When it starts it reads ``subnet.env`` for the subnet it had, asks for the net-conf (again each
second until there is one), picks its outer interface, acquires a lease, starts the backend, writes
its iptables rules and ``subnet.env``, and watches: all leases for the backend, its own for itself.
From then on it acts by itself at four occasions: a lease changed; its own must be renewed; a rule
is missing (looked for every five seconds); a route or device of the backend is.

It ends when it is told to (the kernel's state stays, but for flannel0), when its lease is deleted
under it, or when it cannot start. systemd starts it again after five seconds. The bridge keeps the
subnet it was set up with, whatever the new lease says.

What is looked for every few seconds costs nothing while it is there: only after a change in the
node's kernel is the next look on that grid worked out (see ``linux.agents``). Of messages that
repeat by the second (waiting for a net-conf) the journal keeps the first.

Simplified here: lines of the journal that print Go structures are left out, and the numbers of
lines in flannel's source files; starting takes no time. Source: flannel's main.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import TYPE_CHECKING, Any, cast

from k8snetlib.errors import BadCommand
from k8snetlib.etcd.api import EtcdError
from k8snetlib.flannel import iptables, subnet_env
from k8snetlib.flannel.backend import Backend, ExternalInterface, external_interface
from k8snetlib.flannel.config import NetConf
from k8snetlib.flannel.grid import Grid
from k8snetlib.flannel.host_gw import HostGwBackend
from k8snetlib.flannel.ip import FlannelError
from k8snetlib.flannel.lease import ADDED, Lease, LeaseWatcher
from k8snetlib.flannel.options import DEFAULTS, Options, in_file, parse_options
from k8snetlib.flannel.udp import UdpBackend
from k8snetlib.flannel.vxlan import VxlanBackend
from k8snetlib.linux.clock import go_duration, go_time
from k8snetlib.linux.service import ACTIVE, Service

if TYPE_CHECKING:
    from k8snetlib.flannel.link import Link
    from k8snetlib.flannel.registry import WatchResult
    from k8snetlib.flannel.subnet import Watching
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

UNIT = "flanneld"
RESTART_SEC = 5.0
RENEW_RETRY = 60.0
CONFIG_RETRY = 1.0


class Flanneld(Service):
    """flanneld on one node.

    Parameters: ``ns`` is the node; ``options`` its command line; ``link`` its way to where leases
    are kept (etcd, or the Kubernetes API).
    """

    def __init__(self, ns: Netns, options: Options, link: Link) -> None:
        description = "flannel - Network fabric for containers"
        super().__init__(ns, UNIT, description, "/usr/bin/flanneld", RESTART_SEC)
        self.options = options
        self.link = link
        self._forget()

    def _forget(self) -> None:
        """What a process knows, and a new one does not."""
        self.conf: NetConf | None = None
        self.lease: Lease | None = None
        self.iface: ExternalInterface | None = None
        self.backend: Backend | None = None
        self.leases: LeaseWatcher | None = None
        self.streams: list[Watching] = []
        self.rules: tuple[iptables.FlannelRule, ...] = ()
        self.renew_at = inf
        self.config_at = inf
        self._config_said = ""
        self._mend = Grid(0.0)
        self._rules_grid = Grid(0.0)
        self._manager: Any = None
        self._stamp: object = None
        self._touched = False
        self._missing = self._rules_missing = False

    # -- starting -------------------------------------------------------------------------------

    def configure(self, words: str) -> None:
        """Another command line, for the next start. Raises ``BadCommand``."""
        self.options = parse_options(words)
        self.ns.files[DEFAULTS] = f'FLANNELD_OPTIONS="{words}"\n'

    def begin(self) -> None:
        """The process starts, with the command line of its file if there is one."""
        self._forget()
        try:
            self.options = in_file(self.ns.files.get(DEFAULTS, ""), self.options)
        except BadCommand as error:
            self.say("E", "main.go", error.message.removeprefix("flanneld: "))
            self.exited(2)
            return
        self._mend, self._rules_grid = Grid(self.now), Grid(self.now)
        self._look_at_kernel()
        self.link.subscribe(self.name)
        self._manager = self.link.manager(self)
        self.say("I", "main.go", f"Created subnet manager: {self._manager.name}")
        self.say("I", "main.go", "Installing signal handlers")
        self._get_config()

    def _look_at_kernel(self) -> None:
        ns = self.ns
        ns.watchers["flanneld"] = ns.routes.watcher = self._kernel_changed
        ns.ruleset.watchers[UNIT] = self._kernel_changed

    def _kernel_changed(self) -> None:
        if not self._touched:
            self._touched = True
            self.look()

    def _get_config(self) -> None:
        """The net-conf; asked for again each second until there is one that can be used."""
        self._stamp = self.link.stamp()
        try:
            conf = self._manager.get_network_config()
        except (FlannelError, EtcdError) as error:
            text = f"Couldn't fetch network config: {error.message}"
            if text != self._config_said:
                self.say("E", "main.go", text)
            self._config_said = text
            self.config_at = self.now + CONFIG_RETRY
            return
        self.config_at = inf
        self.conf = conf
        self.say("I", "main.go", f"Found network config - Backend type: {conf.backend_type}")
        self._register(conf)

    def _register(self, conf: NetConf) -> None:
        """Interface, backend, lease; what fails here ends the process."""
        try:
            self.iface = self._interface()
        except FlannelError as error:
            self.say("E", "main.go", error.message)
            self._give_up(1)
            return
        try:
            backend = self._make_backend(conf, self.iface)
        except FlannelError as error:
            self.say("E", "main.go", f"Error fetching backend: {error.message}")
            self._give_up(1)
            return
        try:
            self.lease = self._acquire(backend)
            backend.start(self.lease)
        except (FlannelError, EtcdError) as error:
            self.say("E", "main.go", f"Error registering network: {error.message}")
            backend.stop()
            self._give_up(1)
            return
        self.backend = backend
        self._traffic(conf, self.lease)
        subnet, subnet6 = self.lease.networks
        text = subnet_env.write(conf, self.options.ip_masq, subnet, subnet6, backend.mtu)
        self.ns.files[self.options.subnet_file] = text
        self.say("I", "main.go", f"Wrote subnet file to {self.options.subnet_file}")
        self.say("I", "main.go", "Running backend.")
        self._watch()

    def _interface(self) -> ExternalInterface:
        options = self.options
        if not options.iface:
            try:
                return external_interface(self.ns, "", options.public_ip, self.say)
            except FlannelError as error:
                text = f"Failed to find any valid interface to use: {error.message}"
                raise FlannelError(text) from None
        for iface in options.iface:
            try:
                return external_interface(self.ns, iface, options.public_ip, self.say)
            except FlannelError as error:
                text = f"Could not find valid interface matching {iface}: {error.message}"
                self.say("I", "main.go", text)
        raise FlannelError(
            "Failed to find interface to use that matches the interfaces and/or regexes provided"
        )

    def _make_backend(self, conf: NetConf, iface: ExternalInterface) -> Backend:
        if conf.backend_type == "vxlan":
            previous = self.previous_subnet()
            return VxlanBackend(self.ns, conf, iface, self.say, self.network.random, previous)
        if conf.backend_type == "host-gw":
            return HostGwBackend(self.ns, conf, iface, self.say)
        if conf.backend_type == "udp":
            return UdpBackend(self.ns, conf, iface, self.say)
        raise FlannelError(f"unknown backend type: {conf.backend_type}")

    def _acquire(self, backend: Backend) -> Lease:
        attrs = backend.attrs()
        try:
            return cast(Lease, self._manager.acquire_lease(attrs))
        except (FlannelError, EtcdError) as error:
            raise FlannelError(f"failed to acquire lease: {error.message}") from None

    def previous_subnet(self) -> Any:
        """The subnet that ``subnet.env`` names, or None."""
        return subnet_env.previous_subnet(self.ns.files.get(self.options.subnet_file, ""))

    def _traffic(self, conf: NetConf, lease: Lease) -> None:
        """The iptables rules, after those of an earlier lease are gone."""
        ruleset, cluster, pods = self.ns.ruleset, str(conf.network), str(lease.subnet)
        random_fully = self.options.random_fully
        if self.options.ip_masq:
            self._recycle(cluster, pods)
            self.say("I", "iptables.go", "Setting up masking rules")
            iptables.make_chain(ruleset, "nat", iptables.POSTRTG)
            rules = iptables.masq_rules(cluster, pods, random_fully=random_fully)
            iptables.bootstrap(ruleset, rules)
            self.rules += rules
        if self.options.forward_rules:
            self.say("I", "iptables.go", "Changing default FORWARD chain policy to ACCEPT")
            iptables.make_chain(ruleset, "filter", iptables.FWD)
            rules = iptables.forward_rules(cluster)
            iptables.bootstrap(ruleset, rules)
            self.rules += rules

    def _recycle(self, cluster: str, pods: str) -> None:
        """The rules of the lease before this one go."""
        text = self.ns.files.get(self.options.subnet_file, "")
        networks = subnet_env.subnets(text, "FLANNEL_NETWORK")
        before, network = self.previous_subnet(), networks[0] if networks else None
        if (str(network), str(before)) == (cluster, pods):
            return
        self.say(
            "I", "iptables.go", f"Current network or subnet ({cluster}, {pods}) is not equal to "
            f"previous one ({network or '0.0.0.0/0'}, {before or '0.0.0.0/0'}), trying to recycle "
            "old iptables rules",
        )  # fmt: skip
        if network is not None and before is not None:
            old = iptables.masq_rules(str(network), str(before))
            iptables.teardown(self.ns.ruleset, old)

    def _watch(self) -> None:
        """Lists all leases, and watches from there on: all for the backend, the own for itself."""
        assert self.lease is not None
        self.leases = LeaseWatcher(self.lease.networks)
        try:
            snapshot, stream = self._manager.watch_leases()
            self.streams.append(stream)
            self._deliver(snapshot)
            own = self._manager.watch_lease(self.lease)
            if own is not None:
                self.streams.append(own[1])
                self._own(own[0])
        except EtcdError as error:
            self.say("E", "subnet.go", f"could not watch leases: {error.message}")
        self.look()

    # -- what happens by itself -----------------------------------------------------------------

    def due(self) -> float:
        """When flanneld acts next, as things stand."""
        if self.state != ACTIVE:
            return self.restart_at
        if self.config_at < inf:
            return self._config_due()
        now = self.now
        if self.streams and self.link.stamp() != self._stamp:
            return now
        due = min([self.renew_at, *(stream.retry_at or inf for stream in self.streams)])
        backend = self.backend
        if backend is None:
            return due
        if self._touched:
            self._check_kernel(backend)
        due = min(due, self._mend.due(now, backend.period, self._missing))
        return min(due, self._rules_grid.due(now, self.options.resync, self._rules_missing))

    def _check_kernel(self, backend: Backend) -> None:
        """Is everything there that this flanneld keeps up?"""
        self._touched = False
        self._missing = backend.missing()
        self._rules_missing = not iptables.exist(self.ns.ruleset, self.rules)

    def _config_due(self) -> float:
        """The next second at which asking for the net-conf could bring something else."""
        if self.link.stamp() == self._stamp:
            return inf
        behind = ceil((self.now - self.config_at) / CONFIG_RETRY)
        return self.config_at + max(0, behind) * CONFIG_RETRY

    def act(self) -> None:
        """Does what is due."""
        if self.state != ACTIVE:
            super().act()
            return
        now = self.now
        if self.config_at <= now:
            self._get_config()
            return
        self._take_news()
        if self.state != ACTIVE:
            return
        if self.renew_at <= now:
            self._renew()
        if self.backend is not None:
            self._check_kernel(self.backend)
            if self._mend.reached(now) and self._missing:
                self.backend.mend()
            if self._rules_grid.reached(now) and self._rules_missing:
                self._ensure_rules()

    def _ensure_rules(self) -> None:
        text = "Some iptables rules are missing; deleting and recreating rules"
        for table in ("nat", "filter"):
            rules = tuple(rule for rule in self.rules if rule.table == table)
            if not iptables.exist(self.ns.ruleset, rules):
                self.say("I", "iptables.go", text)
                iptables.bootstrap(self.ns.ruleset, rules)

    def _take_news(self) -> None:
        self._stamp = self.link.stamp()
        for at, stream in enumerate(list(self.streams)):
            for result in stream.poll():
                if at == 0:
                    self._deliver(result)
                else:
                    self._own(result)
                if self.state != ACTIVE:
                    return

    def _deliver(self, result: WatchResult) -> None:
        """Other nodes' leases, for the backend."""
        assert self.leases is not None
        if result.snapshot is not None:
            events = self.leases.reset(result.snapshot)
        else:
            events = self.leases.update(result.events)
        if self.backend is not None and events:
            self.backend.handle(events)

    def _own(self, result: WatchResult) -> None:
        """This node's own lease was renewed, or is gone."""
        for lease in result.snapshot or ():
            self._expires(lease.expires)
        for event in result.events:
            if event.type == ADDED:
                self._expires(self._manager.expires(event.lease))
                continue
            self.say("E", "local_manager.go", "Lease has been revoked. Shutting down daemon.")
            self.say("E", "main.go", "CompleteLease execute error err: interrupted")
            self._give_up(0)
            return

    def _expires(self, when: float | None) -> None:
        if when is None or self.lease is None:
            return
        self.lease = self.lease._replace(expires=when)
        self.renew_at = max(self.now, when - self.options.renew_margin * 60)
        wait = go_duration(self.renew_at - self.now)
        self.say("I", "local_manager.go", f"Waiting for {wait} to renew lease")

    def _renew(self) -> None:
        assert self.lease is not None
        try:
            self.lease = self._manager.renew_lease(self.lease)
        except EtcdError as error:
            text = f"Error renewing lease (trying again in 1 min): {error.message}"
            self.say("E", "local_manager.go", text)
            self.renew_at = self.now + RENEW_RETRY
            return
        expires = self.lease.expires
        assert expires is not None
        self.say("I", "local_manager.go", f"Lease renewed, new expiration: {go_time(expires)}")
        self.renew_at = expires - self.options.renew_margin * 60

    # -- ending ---------------------------------------------------------------------------------

    def end(self) -> None:
        """SIGTERM: the backend stops; kernel state stays, but for a TUN device."""
        self.say("I", "main.go", "shutdownHandler sent cancel signal...")
        self._stop_working()
        self.say("I", "main.go", "Exiting cleanly...")

    def _give_up(self, status: int) -> None:
        """The process ends by itself."""
        self.say("I", "main.go", "Stopping shutdownHandler...")
        self._stop_working()
        if not status:
            self.say("I", "main.go", "Exiting cleanly...")
        self.exited(status)

    def _stop_working(self) -> None:
        if self.backend is not None:
            self.backend.stop()
        self.link.unsubscribe(self.name)
        ns = self.ns
        ns.watchers.pop("flanneld", None)
        ns.routes.watcher = None
        ns.ruleset.watchers.pop(UNIT, None)
        self._forget()

    # -- copies ---------------------------------------------------------------------------------

    def clone(self, network: Network) -> Flanneld:
        """The same flanneld, at the same point of its life, in a copy of the network."""
        ns = network.netns[self.ns.name]
        other = Flanneld(ns, self.options, self.link.clone(network))
        self.copy_state(other)
        other.conf, other.lease, other.iface = self.conf, self.lease, self.iface
        other.rules, other.renew_at, other.config_at = self.rules, self.renew_at, self.config_at
        other._config_said = self._config_said
        other._mend, other._rules_grid = self._mend.clone(), self._rules_grid.clone()
        other._stamp, other._touched = self._stamp, self._touched
        other._missing, other._rules_missing = self._missing, self._rules_missing
        if self.state == ACTIVE:
            other._look_at_kernel()
            other._manager = other.link.manager(other)
            other.streams = [other._manager.clone_stream(stream) for stream in self.streams]
            other.backend = self.backend.clone(ns, other.say) if self.backend else None
            other.leases = self.leases.clone() if self.leases else None
        return other


def flannelds(network: Network) -> Sequence[Flanneld]:
    """All flannelds of a network, in the order of their nodes."""
    return [agent for agent in network.agents if isinstance(agent, Flanneld)]
