"""What lives here: Docker as the runtime of a node, as it was before CNI plugins did this work.

Docker has one bridge, ``docker0``. flannel tells it which subnet to use: ``--bip=10.1.15.1/24``,
``--mtu=1472``, ``--ip-masq=…``. A container becomes a port of the bridge and gets the lowest free
address; a published port becomes rules of the nat table.

Docker's own masquerade rule names its subnet and "not out of docker0". Packets to a pod of another
node leave by flannel0, so they match: the far pod would see the node, not the pod. That is why it
must be off (``--ip-masq=false``) where flanneld masquerades.

Simplified here: addresses are taken by looking at who is plugged in (Docker keeps a database);
neither user-defined networks, and so no chain for their isolation, nor the userland proxy.
Source: Docker's documentation; the rules are those of Docker 1.8 to 17.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.address import Prefix, mac_for
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.cni import link
from k8snetlib.kube.cni.result import CniRoute, IPConfig
from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.syntax import parse_rule
from k8snetlib.linux.netfilter.tables import Ruleset
from k8snetlib.linux.netns import Address, Device, Netns

BRIDGE = "docker0"
CHAIN = "DOCKER"


class DockerConf(NamedTuple):
    """The daemon's options: ``bip`` is the bridge's address with its length, ``mtu`` in bytes.

    ``iptables`` False: it leaves the rules alone (``--iptables=false``). ``forward_drop``: since
    1.13 it sets the policy of FORWARD to DROP.
    """

    bip: str = "172.17.0.1/16"
    mtu: int = 1500
    iptables: bool = True
    ip_masq: bool = True
    forward_drop: bool = False
    bridge: str = BRIDGE

    @property
    def subnet(self) -> Prefix:
        """The containers' subnet."""
        return Prefix.parse(self.bip, host_bits=True)

    @property
    def gateway(self) -> str:
        """The bridge's own address."""
        return self.bip.partition("/")[0]


class Published(NamedTuple):
    """A published port (``-p HOST:CONTAINER/PROTO``) of the container at ``ip``."""

    ip: str
    host_port: int
    port: int
    proto: str = "tcp"


# -- the daemon -----------------------------------------------------------------------------------


def start(node: Netns, conf: DockerConf) -> None:
    """Starts dockerd on a node: the bridge, forwarding, and its rules."""
    if conf.bridge not in node.devices:
        mac = mac_for("02:42", conf.gateway)
        node.add_device(Device(conf.bridge, "bridge", mac, conf.mtu))
    # The same rule as for CNI: one address, and it is that one.
    link.ensure_gateway(node, conf.bridge, conf.bip, force=True)
    node.sysctls["net.ipv4.ip_forward"] = 1
    if conf.iptables:
        _rules(node.ruleset, conf)


def _rules(ruleset: Ruleset, conf: DockerConf) -> None:
    bridge = conf.bridge
    for table in ("nat", "filter"):
        ruleset.ensure_chain(table, CHAIN)
    ruleset.ensure_rule("nat", CHAIN, parse_rule(f"-i {bridge} -j RETURN"))
    local = f"-m addrtype --dst-type LOCAL -j {CHAIN}"
    ruleset.ensure_rule("nat", "PREROUTING", parse_rule(local))
    ruleset.ensure_rule("nat", "OUTPUT", parse_rule(f"! -d 127.0.0.0/8 {local}"))
    if conf.ip_masq:
        masquerade = f"-s {conf.subnet} ! -o {bridge} -j MASQUERADE"
        ruleset.ensure_rule("nat", "POSTROUTING", parse_rule(masquerade), front=True)
    answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    for rule in (f"-j {CHAIN}", answers):
        ruleset.ensure_rule("filter", "FORWARD", parse_rule(f"-o {bridge} {rule}"))
    for rule in (f"! -o {bridge}", f"-o {bridge}"):
        ruleset.ensure_rule("filter", "FORWARD", parse_rule(f"-i {bridge} {rule} -j ACCEPT"))
    if conf.forward_drop:
        forward = ruleset.chain("filter", "FORWARD")
        ruleset.put("filter", Chain("FORWARD", forward.rules, "DROP"))


# -- containers -----------------------------------------------------------------------------------


def next_address(node: Netns, conf: DockerConf) -> str:
    """The lowest address of the subnet that nobody on the bridge has; raises ``K8sNetError`` if
    there is none."""
    taken = {conf.gateway}
    network = node.network
    for port in node.ports.get(conf.bridge, ()):
        peer = node.devices[port].peer
        ns = network.netns.get(peer[0]) if network and peer else None
        if ns is not None and peer is not None and peer[1] in ns.devices:
            taken |= {address.ip for address in ns.devices[peer[1]].addresses}
    subnet = conf.subnet
    for index in range(1, (1 << 32 - subnet.length) - 1):
        if (ip := subnet.host(index)) not in taken:
            return ip
    raise K8sNetError("no available IPv4 addresses on this network's address pools: bridge")


def connect(
    node: Netns, conf: DockerConf, container: Netns, *, ip: str | None = None,
    veth: str | None = None, hairpin: bool = False,
) -> Address:  # fmt: skip
    """Plugs a container into the bridge; returns its address.

    ``ip`` None: the lowest free one; ``veth`` None: a random name. MAC addresses follow from the
    address, Docker's own rule for the container's. Raises ``K8sNetError`` outside of a network.
    """
    if node.network is None:
        raise K8sNetError(f"{node.name} is part of no network.", "Network.add it first.")
    ip = ip or next_address(node, conf)
    link.setup_veth(
        node.network, node, container, "eth0", conf.bridge, mtu=conf.mtu, hairpin=hairpin,
        name=veth, mac=mac_for("02:42", ip), host_mac=mac_for("0a:fe", ip),
    )  # fmt: skip
    address = Address(ip, conf.subnet.length)
    link.configure(
        container, "eth0", [IPConfig(str(address), conf.gateway)], [CniRoute("0.0.0.0/0")]
    )
    return address


def disconnect(container: Netns) -> None:
    """Unplugs a container; its address is free at once."""
    link.remove_link(container, "eth0")


def publish(node: Netns, conf: DockerConf, port: Published) -> None:
    """Publishes a container's port on every address of the node."""
    if conf.iptables:
        for table, chain, text in _published(conf, port):
            node.ruleset.ensure_rule(table, chain, parse_rule(text))


def unpublish(node: Netns, conf: DockerConf, port: Published) -> None:
    """Takes the rules of a published port away again, those that are there."""
    for table, chain, text in _published(conf, port):
        rule = parse_rule(text)
        rules = node.ruleset.table(table).get(chain, Chain(chain)).rules
        if rule in rules:
            node.ruleset.change(table, chain, [r for r in rules if r != rule])


def _published(conf: DockerConf, port: Published) -> tuple[tuple[str, str, str], ...]:
    ip, host_port, inside, proto = port
    bridge = conf.bridge
    to = f"-p {proto} -m {proto} --dport"
    return (
        ("nat", CHAIN, f"! -i {bridge} {to} {host_port} -j DNAT --to-destination {ip}:{inside}"),
        ("filter", CHAIN, f"-d {ip} ! -i {bridge} -o {bridge} {to} {inside} -j ACCEPT"),
        ("nat", "POSTROUTING", f"-s {ip} -d {ip} {to} {inside} -j MASQUERADE"),
    )
