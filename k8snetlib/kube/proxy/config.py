"""What lives here: kube-proxy's options, as far as they change what it tells the kernel.

Source: kube-proxy's command line; pkg/proxy/util/localdetector.go and nodeport_addresses.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import NamedTuple

from k8snetlib.kube.proxy.state import family_of

DETECT_MODES = ("ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")


class Detector(NamedTuple):
    """How kube-proxy knows traffic of its own pods: ``mode`` is CIDR, BridgeInterface,
    InterfaceNamePrefix or None; ``argument`` a range or a name."""

    mode: str = "None"
    argument: str = ""

    @property
    def implemented(self) -> bool:
        """False: nothing is known to come from a pod."""
        return self.mode != "None"

    def iptables(self, local: bool) -> str:
        """The words of an iptables rule for a pod's traffic, or for all other traffic.

        >>> Detector("CIDR", "10.1.0.0/16").iptables(False)
        '! -s 10.1.0.0/16'
        """
        if self.mode == "None":
            return ""
        option = "-s" if self.mode == "CIDR" else "-i"
        plus = "+" if self.mode == "InterfaceNamePrefix" else ""
        return f"{'' if local else '! '}{option} {self.argument}{plus}"

    def nft(self, local: bool) -> str:
        """The same in the words of nft.

        >>> Detector("CIDR", "10.1.0.0/16").nft(False)
        'ip saddr != 10.1.0.0/16'
        """
        if self.mode == "None":
            return ""
        word = "iifname"
        if self.mode == "CIDR":
            word = "ip6 saddr" if family_of(self.argument) == "IPv6" else "ip saddr"
        star = "*" if self.mode == "InterfaceNamePrefix" else ""
        return f"{word} {'' if local else '!= '}{self.argument}{star}"


def detector(
    mode: str, family: str, cluster_cidrs: Iterable[str] = (), node_cidrs: Iterable[str] = (),
    interface: str = "",
) -> Detector:  # fmt: skip
    """The detector that the options make for a family of addresses."""
    if mode in ("ClusterCIDR", "NodeCIDR"):
        ranges = cluster_cidrs if mode == "ClusterCIDR" else node_cidrs
        own = [cidr for cidr in ranges if family_of(cidr) == family]
        return Detector("CIDR", own[0]) if own else Detector()
    if mode in ("BridgeInterface", "InterfaceNamePrefix") and interface:
        return Detector(mode, interface)
    return Detector()


class NodePortAddresses(NamedTuple):
    """``--nodeport-addresses``: on which of a node's addresses its node ports are served."""

    cidrs: tuple[str, ...] = ()

    def of(self, family: str) -> tuple[str, ...]:
        """The ranges of one family; none, or one that holds everything, means all addresses."""
        own = tuple(cidr for cidr in self.cidrs if family_of(cidr) == family)
        return () if any(cidr.endswith("/0") for cidr in own) else own

    def match_all(self, family: str) -> bool:
        """True if every address serves."""
        return not self.of(family)

    def contains_ipv4_loopback(self) -> bool:
        """True if 127.0.0.1 (or the like) serves."""
        own = [ip_network(c, strict=False) for c in self.cidrs if family_of(c) == "IPv4"]
        loop = ip_network("127.0.0.0/8")
        return any(net.overlaps(loop) for net in own) if own else not self.cidrs

    def node_ips(self, interfaces: Mapping[str, Iterable[str]], family: str) -> tuple[str, ...]:
        """The node's addresses (``IP/LENGTH`` by device) that serve node ports."""
        ranges = [ip_network(c, strict=False) for c in self.of(family)]
        ips = [str(ip_interface(a).ip) for all in interfaces.values() for a in all]
        return tuple(
            ip for ip in ips
            if family_of(ip) == family
            and (not ranges or any(ip_address(ip) in net for net in ranges))
        )  # fmt: skip


class ProxyConfig(NamedTuple):
    """kube-proxy's options on one node. ``node_ips`` are all its addresses, ``node_ip`` the
    primary one, ``labels`` those of its Node object; ``sync_period`` is in seconds. Of IPVS mode:
    ``scheduler``, ``exclude_cidrs`` (virtual servers that are none of its business),
    ``strict_arp`` (ARP is answered for the addresses of the device alone that was asked)."""

    node: str
    node_ip: str
    node_ips: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    family: str = "IPv4"
    detector: Detector = Detector()
    masquerade_all: bool = False
    masquerade_bit: int = 14
    random_fully: bool = True
    localhost_node_ports: bool = True
    node_port_addresses: NodePortAddresses = NodePortAddresses()
    scheduler: str = "rr"
    exclude_cidrs: tuple[str, ...] = ()
    strict_arp: bool = False
    service_cidrs: tuple[str, ...] = ()
    tcp_liberal: bool = False
    nfacct: frozenset[str] = frozenset()
    sync_period: float = 30.0

    @property
    def mark(self) -> str:
        """The masquerade mark as kube-proxy's rules have it.

        >>> ProxyConfig("node1", "192.168.66.11").mark
        '0x4000'
        """
        return f"{1 << self.masquerade_bit:#x}"
