"""What lives here: the dumps of machines, a folder for each; and all machines together.

A file is known by its name, whatever its suffix: ``ip-addr.txt`` holds what ``ip -d addr`` printed.
This is one of the few places of the library that touch files.

Machines whose network cards are in one subnet are connected by a switch; what else a card is
connected to, nobody has told.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from k8snetlib.address import Prefix
from k8snetlib.dumps.node import Dumps, PassedOver, build, spec_of
from k8snetlib.errors import BadDump
from k8snetlib.kube.api import ClusterSpec
from k8snetlib.kube.apiserver import ApiServer
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.network import Network

SWITCH = "switch"
_COMMANDS = {
    "ip-addr": "ip -d addr", "ip-route": "ip route show table all", "ip-neigh": "ip neigh",
    "bridge-fdb": "bridge fdb", "iptables-save": "iptables-save", "sysctl": "sysctl net",
}  # fmt: skip
#: Other names by which people call the same.
_ALSO = {
    "ip-link": "ip-addr", "ip-address": "ip-addr", "ip-neighbour": "ip-neigh", "fdb": "bridge-fdb",
}  # fmt: skip


def read_folder(folder: str | Path, passed_over: list[str]) -> Dumps:
    """The dumps of one machine; raises ``BadDump`` if there is nothing to read."""
    found: dict[str, tuple[str, str]] = {}
    try:
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        for path in files:
            stem = path.name.partition(".")[0].replace("_", "-").lower()
            kind = _ALSO.get(stem, stem)
            if kind not in _COMMANDS:
                passed_over.append(str(path))
            elif kind in found:
                raise BadDump(f"{path} holds the same as {found[kind][1]}.", "Keep one of them.")
            else:
                found[kind] = (path.read_text(encoding="utf-8", errors="replace"), str(path))
    except OSError as error:
        raise BadDump(f"{error.filename or folder}: {error.strerror or error}.", _hint()) from None
    if "ip-addr" not in found:
        raise BadDump(f"{folder}: there is no ip-addr.txt.", _hint())
    return Dumps(**{kind.replace("-", "_"): text for kind, text in found.items()})


def _hint() -> str:
    wanted = ", ".join(f"{name}.txt (`{command}`)" for name, command in _COMMANDS.items())
    return f"A machine's folder holds {wanted}."


def read_network(machines: Mapping[str, Dumps], seed: int, passed_over: list[str]) -> Network:
    """All machines, and what can be told of how they are connected."""
    network = Network(seed)
    for name, dumps in machines.items():
        passed_over += [f"{name}: {what}" for what in _built(network, name, dumps)]
    _connect(network, [network[name] for name in machines])
    return network


def _built(network: Network, name: str, dumps: Dumps) -> list[str]:
    passed_over: list[str] = []
    build(network, name, dumps, passed_over)
    return passed_over


def _connect(network: Network, machines: list[Netns]) -> None:
    """A switch for the cards of different machines that are in one subnet."""
    cards: dict[Prefix, list[tuple[Netns, Device]]] = {}
    for ns in machines:
        for device in ns.devices.values():
            if device.kind == "veth" and device.peer is None and device.addresses:
                subnet = device.addresses[0].subnet
                cards.setdefault(subnet, []).append((ns, device))
    for number, (_, ends) in enumerate(sorted((p, e) for p, e in cards.items() if len(e) > 1)):
        switch = network.add(Netns(f"{SWITCH}{number or ''}", "switch"))
        switch.add_device(Device("br0", "bridge", f"0a:5b:00:00:00:{number + 1:02x}"))
        for at, (ns, device) in enumerate(ends):
            port = f"p{at}-{ns.name}"[:15]
            mac = f"0a:5b:00:00:{number + 1:02x}:{at + 1:02x}"
            switch.add_device(Device(port, "veth", mac, device.mtu, peer=(ns.name, device.name)))
            switch.enslave(port, "br0")
            ns.devices[device.name] = device._replace(peer=(switch.name, port))
    network.forget_names()


def read_machines(
    machines: Mapping[str, str | Dumps], seed: int = 0
) -> tuple[Network, ClusterSpec]:
    """The network of machines (name -> folder, or what they printed), and what there is in it.
    Raises ``BadDump``; warns of what it passes over."""
    passed_over: list[str] = []
    dumps = {
        name: what if isinstance(what, Dumps) else read_folder(what, passed_over)
        for name, what in machines.items()
    }
    network = read_network(dumps, seed, passed_over)
    network.agents.add(ApiServer(network))  # one that knows nothing
    if passed_over:
        warnings.warn(f"Passed over: {'; '.join(passed_over)}.", PassedOver, stacklevel=3)
    return network, spec_of(network, list(dumps))
