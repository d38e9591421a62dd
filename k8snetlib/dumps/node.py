"""What lives here: from the dumps of one machine to a network namespace that packets walk through.

What the dumps do not tell is left open, and a packet that gets there ends with that reason: who
listens on a port, which process reads a TUN device, what is at the far end of a wire. Behind a veth
whose other end is a pod's stands a namespace by the name of the pod's address, as far as the
neighbour table, the bridge's forwarding database and the routes tell it: enough to send from.

Simplified here: connections that are there (conntrack), policy routing and network cards' own
features are not read; a stand-in for a pod has the usual route, its gateway at the node.
"""

from __future__ import annotations

from typing import NamedTuple

from k8snetlib.address import Prefix, mac_for
from k8snetlib.dumps import entries
from k8snetlib.dumps.links import Link, links
from k8snetlib.errors import BadDump, K8sNetError
from k8snetlib.kube.api import NO_RANGE, ClusterSpec, NetworkSpec, Node
from k8snetlib.linux.netfilter import save
from k8snetlib.linux.netns import DEFAULT_SYSCTLS, Device, FdbEntry, Neighbour, Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.route import Route
from k8snetlib.linux.sockets import Listener, listen

#: What every node of a cluster has set, for a dump without ``sysctl``.
NODE_SYSCTLS = {"net.ipv4.ip_forward": 1, "net.bridge.bridge-nf-call-iptables": 1}
#: Of a pod's own end of its wire, where only the node's is known.
_POD_MAC = "0a:58"


class Dumps(NamedTuple):
    """What a machine printed, each as (text, name of the file); empty: not there.

    ``ip_addr`` is ``ip -d addr`` (``ip -d link`` if that is all); ``ip_route`` may be ``ip route
    show table all``; ``sysctl`` any part of ``sysctl -a``.
    """

    ip_addr: tuple[str, str] = ("", "ip-addr")
    ip_route: tuple[str, str] = ("", "ip-route")
    ip_neigh: tuple[str, str] = ("", "ip-neigh")
    bridge_fdb: tuple[str, str] = ("", "bridge-fdb")
    iptables_save: tuple[str, str] = ("", "iptables-save")
    sysctl: tuple[str, str] = ("", "sysctl")


class PassedOver(UserWarning):
    """Something that a machine printed and that this model leaves out."""


def spec_of(network: Network, names: list[str]) -> ClusterSpec:
    """The machines as Nodes: their address, and the range of their first bridge."""
    nodes = []
    for name in names:
        ns = network[name]
        route = ns.routes.lookup("0.0.0.0")
        own = [d for d in ns.devices.values() if d.addresses and d.kind != "lo"]
        first = [d for d in own if route is not None and d.name == route.dev] or own
        ip = first[0].addresses[0].ip if first else "127.0.0.1"
        bridges = [d.addresses[0].subnet for d in own if d.kind == "bridge"]
        nodes.append(Node(name, ip, (bridges or [NO_RANGE])[0]))
    nowhere = Prefix(0, 0)
    return ClusterSpec(NetworkSpec(nowhere, nowhere, nowhere, nowhere), tuple(nodes), ())


def build(network: Network, name: str, dumps: Dumps, passed_over: list[str]) -> Netns:
    """Adds the machine to the network; raises ``BadDump`` for what cannot be read."""
    ns = network.add(Netns(name, "node"))
    ns.open_ended = True
    found = links(*dumps.ip_addr)
    if not found:
        raise BadDump(f"{name}: there are no devices.", "Give what `ip -d addr` prints.")
    _devices(ns, found, passed_over)
    for route in entries.routes(*dumps.ip_route, passed_over):
        _need(ns, route.dev, dumps.ip_route[1], str(route))
        ns.routes.add(route)
    for neighbour in entries.neighbours(*dumps.ip_neigh):
        if neighbour.dev in ns.devices:
            ns.neighbours[neighbour.dev, neighbour.ip] = neighbour
    for entry, key, node in entries.forwarding(*dumps.bridge_fdb):
        if entry is None:
            ns.vxlan_fdb[key] = node
        elif entry.port != entry.bridge and entry.port in ns.devices:
            ns.fdb[key] = entry
    ns.sysctls.update(NODE_SYSCTLS)
    given = dict(entries.sysctls(*dumps.sysctl))
    ns.sysctls.update({key: given[key] for key in DEFAULT_SYSCTLS if key in given})
    _rules(ns, *dumps.iptables_save)
    _stand_ins(network, ns, found)
    return ns


def _need(ns: Netns, device: str, file: str, line: str) -> None:
    if device not in ns.devices:
        raise BadDump(
            f"{file}: '{line}' names {device}, and {ns.name} has no such device.",
            "Take all dumps of a machine at one time.",
        )


def _rules(ns: Netns, text: str, file: str) -> None:
    lines = [line.strip() for line in text.splitlines()]
    if lines.count("COMMIT") < sum(line.startswith("*") for line in lines):
        raise BadDump(f"{file}: a table has no COMMIT.", "Give all that `iptables-save` prints.")
    try:
        if text.strip():
            save.restore(ns.ruleset, text)
    except K8sNetError as error:
        hint = "Without this line the rest can be read, but a packet may then fare otherwise."
        raise BadDump(f"{file}: {error.message}", f"{error.hint} {hint}".strip()) from None


# -- devices --------------------------------------------------------------------------------------


def _devices(ns: Netns, found: list[Link], passed_over: list[str]) -> None:
    """The devices with their indices, then the bridges' ports, then the addresses: the order does
    not count, and the routes come from their own dump."""
    names = {link.name for link in found}
    for link in found:
        kind = link.kind if link.kind in ("lo", "bridge", "tun", "vxlan") else "veth"
        peer = (ns.name, link.behind) if link.kind == "veth" and link.behind in names else None
        ns.devices[link.name] = Device(
            link.name, kind, link.mac, link.mtu, link.up, link.addresses, None, peer,
            vxlan=link.vxlan, ifindex=link.ifindex,
        )  # fmt: skip
        if kind == "veth" and link.kind not in ("veth", "wire", "dummy"):
            passed_over.append(f"what {link.name} ({link.kind}) does with packets")
        for address in link.addresses:
            ns.local[address.ip] = link.name
            if address.length < 31 and kind != "lo":
                ns.broadcasts.add((link.name, address.subnet.broadcast))
        if link.vxlan:
            where = link.vxlan.local, link.vxlan.port
            listen(ns, Listener("udp", *where, "the kernel", tunnel=link.name))
    for link in found:
        master = ns.devices.get(link.master)
        if master is not None and master.kind == "bridge":
            device = ns.devices[link.name]
            ns.devices[link.name] = device._replace(master=link.master, hairpin=link.hairpin)
            ns.fdb[link.master, link.mac] = FdbEntry(link.mac, link.name, link.master, local=True)
            ns.ports[link.master] = (*ns.ports.get(link.master, ()), link.name)


# -- who is at the far end ------------------------------------------------------------------------


def _stand_ins(network: Network, ns: Netns, found: list[Link]) -> None:
    """A namespace for each pod of which the dumps tell address and wire."""
    for link in found:
        if link.kind != "veth" or not link.behind.startswith("if"):
            continue
        pod = _behind_port(ns, link) if link.master else _behind_route(ns, link)
        if pod is not None and pod.ip not in network.netns and pod.ip not in ns.local:
            _plug(network, ns, link, pod)


def _behind_port(ns: Netns, link: Link) -> Neighbour | None:
    """The neighbour whose MAC address the bridge has learned behind a port."""
    macs = {e.mac for e in ns.fdb.values() if e.port == link.name and not e.local}
    known = (n for n in ns.neighbours.values() if n.dev == link.master and n.mac in macs)
    return next(known, None)


def _behind_route(ns: Netns, link: Link) -> Neighbour | None:
    """The only address that is routed to a device, as Calico and ptp do it."""
    own = [r for r in ns.routes if r.dev == link.name and r.prefix.length == 32 and r.via is None]
    if len(own) != 1:
        return None
    ip = own[0].prefix.network
    known = ns.neighbours.get((link.name, ip))
    return known if known and known.mac else Neighbour(ip, link.name, mac_for(_POD_MAC, ip), "")


def _plug(network: Network, ns: Netns, link: Link, pod: Neighbour) -> None:
    side = network.add(Netns(pod.ip, "pod"))
    side.open_ended = True
    side.add_device(Device("eth0", "veth", pod.mac or "", link.mtu, peer=(ns.name, link.name)))
    ns.devices[link.name] = ns.devices[link.name]._replace(peer=(side.name, "eth0"))
    bridge = ns.devices.get(link.master)
    if bridge is not None and bridge.addresses:
        gateway = bridge.addresses[0]
        side.add_address("eth0", f"{pod.ip}/{gateway.length}")
        side.routes.add(Route(Prefix(0, 0), "eth0", via=gateway.ip))
        return
    side.add_address("eth0", f"{pod.ip}/32")
    gateway_ip = "169.254.1.1"
    side.routes.add(Route(Prefix.parse(gateway_ip), "eth0", scope="link"))
    side.routes.add(Route(Prefix(0, 0), "eth0", via=gateway_ip))
    side.neighbours["eth0", gateway_ip] = Neighbour(gateway_ip, "eth0", link.mac, "PERMANENT")
