"""What lives here: what all backends share: the node's outer interface, and what a backend does.

A backend is a lease in, forwarding state out. flanneld asks it three things: what peers must know
about this node (``attrs``), to set itself up once the lease is there (``start``), and to take each
event of another node's lease (``handle``). From then on packets meet the kernel's state.

Source: flannel's pkg/backend/common.go and pkg/ipmatch/match.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from k8snetlib.address import is_ip, number
from k8snetlib.flannel.ip import FlannelError

if TYPE_CHECKING:
    from k8snetlib.flannel.lease import Event, Lease, LeaseAttrs
    from k8snetlib.linux.netns import Netns

Log = Callable[[str, str, str], None]


class ExternalInterface(NamedTuple):
    """The interface by which the node talks to the others: its name, its own address, the address
    that peers are told (``public``), and its MTU in bytes."""

    name: str
    address: str
    public: str
    mtu: int


class Backend(Protocol):
    """What flanneld asks of a backend. ``checks`` says whether it looks after its state: then
    ``missing`` tells if something is gone, and ``mend`` puts it back, each ``period`` seconds."""

    period: float

    @property
    def mtu(self) -> int:
        """What is left for a pod's packet, in bytes."""

    def attrs(self) -> LeaseAttrs:
        """What this node's lease shall say; may make a device first. Raises ``FlannelError``."""

    def start(self, lease: Lease) -> None:
        """The lease is there: devices, addresses, sockets. Raises ``FlannelError``."""

    def handle(self, events: Iterable[Event]) -> None:
        """Other nodes' leases came, changed, or went."""

    def missing(self) -> bool:
        """True if kernel state that this backend keeps up is gone."""

    def mend(self) -> None:
        """Puts it back."""

    def stop(self) -> None:
        """The process ends."""

    def clone(self, ns: Netns, log: Log) -> Backend:
        """The same backend in a copy of the namespace."""


def external_interface(
    ns: Netns, iface: str = "", public_ip: str = "", log: Log | None = None
) -> ExternalInterface:
    """Which interface flanneld takes, in its order: ``--iface`` by address or by name; with only
    ``--public-ip`` the one that has this address; else that of the default route, whatever it leads
    to. Raises ``FlannelError`` in flannel's words.
    """
    say = log or (lambda level, source, text: None)
    source = "match.go"
    wanted = iface or public_ip
    address = ""
    if wanted and is_ip(wanted):
        say("I", source, f"Searching for interface using {wanted}")
        name = ns.local.get(wanted, "")
        address = wanted
        if not name:
            raise FlannelError(
                f"error looking up interface {wanted}: No interface with given IP found"
            )
    elif wanted:
        name = wanted
        if name not in ns.devices:
            raise FlannelError(
                f"error looking up interface {wanted}: route ip+net: no such network interface"
            )
    else:
        say("I", source, "Determining IP address of default interface")
        default = next((route for route in ns.routes if route.prefix.length == 0), None)
        if default is None:
            raise FlannelError("failed to get default interface: Unable to find default route")
        name = default.dev
    device = ns.devices[name]
    if not address:
        usable = [a.ip for a in device.addresses if not _link_local(a.ip)]
        usable += [a.ip for a in device.addresses if _link_local(a.ip)]
        if not usable:
            raise FlannelError(f"failed to find IPv4 address for interface {name}")
        address = usable[0]
    say("I", source, f"Using interface with name {name} and address {address}")
    if public_ip:
        if not is_ip(public_ip):
            raise FlannelError(f"invalid public IP address: {public_ip}")
        say("I", source, f"Using {public_ip} as external address")
    else:
        say("I", source, f"Defaulting external address to interface address ({address})")
    return ExternalInterface(name, address, public_ip or address, device.mtu)


def _link_local(ip: str) -> bool:
    return number(ip) >> 16 == 0xA9FE
