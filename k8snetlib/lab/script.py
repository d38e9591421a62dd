"""What lives here: a cluster of the model, written as a shell script for a real Linux machine.

``script(cluster, prefix)`` is a POSIX shell script with the verbs ``up`` and ``down``. ``up``
builds the very same cluster in network namespaces of its own: devices with the model's MAC
addresses and MTUs, bridge ports in the order in which they joined, routes, sysctls, forwarding
entries, rules, servers. What the model's kernels have learned (neighbours, MAC addresses behind
ports) is there from the start. Nothing outside those namespaces is touched; ``down`` (or a failure,
or Ctrl-C) removes everything by name.

Settings that keep a real machine from adding packets of its own stand in ``QUIET``.

What may not live here: running it (see ``kernel``).

Simplified here: connections that the model tracks are not carried over; no ipsets, and no IPVS,
which no kernel at hand has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from k8snetlib.address import mask
from k8snetlib.errors import K8sNetError, NotModelled
from k8snetlib.flannel import udp
from k8snetlib.lab import inside
from k8snetlib.linux.netfilter.save import save
from k8snetlib.linux.netns import Device, Netns
from k8snetlib.linux.nftables.listing import list_base, list_table
from k8snetlib.linux.route import Route

if TYPE_CHECKING:
    from k8snetlib.cluster import Cluster
    from k8snetlib.linux.network import Network

#: What differs from a default machine: no ICMP rate limit, no IPv6, long-lived neighbours; and
#: hosts keep their routes whatever a redirect says, as the model's do.
QUIET = {
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_ratemask": 0,
    "net.ipv4.conf.all.accept_redirects": 0,
    "net.ipv4.neigh.default.base_reachable_time_ms": 3_600_000,
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
}

_HEAD = """\
#!/bin/sh
# A cluster as k8snetlib models it, in real network namespaces (their names begin with {prefix}).
# Run as root:  sh THIS-FILE up     builds it        sh THIS-FILE down    removes it again
# Look around:  ip netns exec {prefix}{first} ip route
# Nothing outside these namespaces is touched.
set -eu
prefix={prefix}
namespaces='{names}'
dir=/run/{folder}
python=${{PYTHON:-python3}}

die() {{ echo "$1" >&2; exit 1; }}

check() {{
    [ "$(id -u)" = 0 ] || die 'This needs root: it makes network namespaces.'
    for tool in ip bridge {tools} "$python"; do
        command -v "$tool" >/dev/null || die "This needs the command $tool, which is not here."
    done
}}

# inside NAME COMMAND…: runs a command in a namespace.
inside() {{ name=$1; shift; ip netns exec "$prefix$name" "$@"; }}

# sysctls NAME: reads lines 'path value'. A setting that is missing and would be 0 is no loss.
sysctls() {{
    inside "$1" sh -c 'while read -r key value; do
        if [ -e "/proc/sys/$key" ]; then echo "$value" >"/proc/sys/$key"
        elif [ "$value" != 0 ]; then echo "This kernel has no setting $key." >&2; exit 1; fi
    done'
}}

# helper VERB NAME: starts one of the programs of inside.py in a namespace; reads its settings.
helper() {{
    cat >"$dir/$1-$2.json"
    ip netns exec "$prefix$2" "$python" -I -S "$dir/inside.py" "$1" "$dir/$1-$2.json" \\
        </dev/null >"$dir/$1-$2.log" 2>&1 &
    echo $! >"$dir/$1-$2.pid"
}}

# A bridge's port learns nothing before the other end of its wire is up.
wait_for_ports() {{
    tries=0
    while bridge -n "$prefix$1" link | grep -q 'state disabled' && [ $tries -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
}}

wait_for_helpers() {{
    for file in "$dir"/*.pid; do
        [ -e "$file" ] || continue
        tries=0
        until [ -e "${{file%.pid}}.ready" ]; do
            tries=$((tries + 1))
            [ $tries -le 250 ] || {{ cat "${{file%.pid}}.log" >&2; die "No answer: $file"; }}
            sleep 0.02
        done
    done
}}

running() {{ [ -r "/proc/$1/cmdline" ] && tr '\\0' ' ' <"/proc/$1/cmdline" | grep -q "$dir/"; }}

down() {{
    for file in "$dir"/*.pid; do
        [ -e "$file" ] || continue
        read -r pid <"$file" || continue
        if running "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
    done
    for name in $namespaces; do
        if [ -e "/run/netns/$prefix$name" ]; then ip netns del "$prefix$name" || true; fi
    done
    rm -rf "$dir"
}}

up() {{
    check
    for name in $namespaces; do
        [ ! -e "/run/netns/$prefix$name" ] || die "$prefix$name is there already: first $0 down"
    done
    mkdir -m 700 "$dir" || die "$dir is there already: first $0 down"
    trap down EXIT
    trap 'exit 130' HUP INT TERM
    for name in $namespaces; do ip netns add "$prefix$name"; done
    build
    wait_for_helpers
    trap - EXIT HUP INT TERM
}}

"""

_TAIL = """\

case "${1:-}" in
    up) up ;;
    down) check; down ;;
    *) die "Usage: $0 up|down" ;;
esac
"""


def script(cluster: Cluster, prefix: str) -> str:
    """The shell script that builds ``cluster`` in namespaces called ``prefix`` + name.

    Raises ``K8sNetError`` for a prefix that is no plain word of at most 32 letters, digits and
    hyphens; ``NotModelled`` for a cluster with kernel state that the script cannot carry.
    """
    return script_of(cluster.network, prefix)


def refuse_ipvs(network: Network) -> None:
    """Raises ``NotModelled`` if a namespace balances with IPVS: that is modelled by reading the
    kernel's source alone, and no kernel is asked."""
    for ns in network.netns.values():
        if ns.ipvs.services:
            raise NotModelled(
                f"{ns.name} balances with IPVS, and IPVS cannot be checked against a kernel here: "
                "the model follows the kernel's source by reading alone.",
                "Proxy mode iptables can be checked.",
            )


def script_of(network: Network, prefix: str) -> str:
    """``script`` for any namespaces of the model, whether they make a Kubernetes cluster or not."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}", prefix):
        raise K8sNetError(f"'{prefix}' is no prefix.", "At most 32 letters, digits and hyphens.")
    hosts = tuple(network.netns.values())
    refuse_ipvs(network)
    for ns in hosts:
        if ns.ipsets:
            raise NotModelled(f"{ns.name} uses ipsets, and the script cannot carry them.")
    tools = "iptables-restore" if any(ns.ruleset.tables for ns in hosts) else ""
    tools += " nft" if any(ns.ruleset.nft for ns in hosts) else ""
    head = _HEAD.format(
        prefix=prefix, folder=prefix.rstrip("-"), first=hosts[0].name, tools=tools,
        names=" ".join(ns.name for ns in hosts),
    )  # fmt: skip
    return head + "build() {\n" + "\n".join(_build(hosts)) + "\n}\n" + _TAIL


def _build(hosts: tuple[Netns, ...]) -> Iterator[str]:
    """The commands, step by step: settings first, for devices inherit them when they are made."""
    yield from _here('cat >"$dir/inside.py"', Path(inside.__file__).read_text().splitlines())
    for ns in hosts:
        yield f"# -- {ns.name}: settings, and devices that need no other namespace"
        yield from _here(f"sysctls {ns.name}", _sysctls(ns))
        yield from _ip(ns, _own_devices(ns))
    yield "# -- the wires"
    for ns in hosts:
        yield from _ip(ns, _wires(ns, hosts))
    for ns in hosts:
        yield f"# -- {ns.name}: ports, addresses, tunnels, routes, neighbours"
        yield from _ip(ns, [*_ports(ns), *_addresses(ns), *_tunnels(ns)])
        yield from _here(f"sysctls {ns.name}", _device_sysctls(ns))
        yield from _ip(ns, [*_routes(ns), *_neighbours(ns)])
        yield from _batch(f'bridge -n "${{prefix}}{ns.name}"', _forwarding(ns))
    yield "# -- what the bridges have learned"
    for ns in hosts:
        learned = [*_learned(ns)]
        if learned:
            yield f"wait_for_ports {ns.name}"
        yield from _batch(f'bridge -n "${{prefix}}{ns.name}"', learned)
    for ns in hosts:
        if not ns.ruleset.empty:
            yield f"# -- {ns.name}: rules"
            yield from _rules(ns)
    yield "# -- programs"
    for ns in hosts:
        yield from _programs(ns)
    yield ":"


def _rules(ns: Netns) -> Iterator[str]:
    """The tables of iptables and of nftables. Where two chains of a hook have one priority, that
    which was registered last speaks first: so base chains are made in the order of the model's."""
    restore, nft = f"inside {ns.name} iptables-restore", ns.ruleset.nft
    if nft is None:
        yield from _here(restore, save(ns.ruleset).splitlines())
        return
    left = list(ns.ruleset.tables)
    for one in nft.registered:
        for name in [name for name in left if name in one.before]:
            left.remove(name)
            yield from _here(restore, save(ns.ruleset, name).splitlines())
        table = nft.tables[one.family, one.table]
        yield from _here(f"inside {ns.name} nft -f -", list_base(table, one.chain))
    for name in left:
        yield from _here(restore, save(ns.ruleset, name).splitlines())
    for table in nft.tables.values():
        # What packets have left in dynamic sets stays behind, as connections do.
        yield from _here(f"inside {ns.name} nft -f -", list_table(table, None).splitlines())


def _here(command: str, lines: Iterable[str], end: str = "'END-OF-INPUT'") -> Iterator[str]:
    """A command with a here-document; the shell leaves it alone as long as its end is quoted."""
    body = list(lines)
    if body:
        yield f"{command} <<{end}"
        yield from body
        yield "END-OF-INPUT"


def _batch(command: str, lines: Iterable[str]) -> Iterator[str]:
    """A batch of commands, in which the shell fills in the prefix."""
    return _here(f"{command} -batch -", lines, "END-OF-INPUT")


def _ip(ns: Netns, lines: Iterable[str]) -> Iterator[str]:
    return _batch(f'ip -n "${{prefix}}{ns.name}"', lines)


_PER_DEVICE = "net.ipv4.neigh.default."


def _sysctls(ns: Netns) -> Iterator[str]:
    for key, value in (ns.sysctls | QUIET).items():
        if key.startswith(_PER_DEVICE):
            continue
        yield f"{key.replace('.', '/')} {value}"
        # A device counts the setting of `all` and its own, which it takes from `default`.
        if key.startswith("net.ipv4.conf.all."):
            yield f"{key.replace('.all.', '.default.').replace('.', '/')} {value}"


def _device_sysctls(ns: Netns) -> Iterator[str]:
    """Neighbour settings: outside the machine's own namespace they have no default to inherit."""
    for key, value in (ns.sysctls | QUIET).items():
        if key.startswith(_PER_DEVICE):
            for name in ns.devices:
                yield f"net/ipv4/neigh/{name}/{key.removeprefix(_PER_DEVICE)} {value}"


def _own_devices(ns: Netns) -> Iterator[str]:
    yield "link set lo up"
    for device in ns.devices.values():
        if device.kind == "bridge":
            yield (
                f"link add {device.name} address {device.mac} type bridge"
                " stp_state 0 forward_delay 0 mcast_snooping 0"
            )
        elif device.kind == "tun":
            yield f"tuntap add dev {device.name} mode tun"


def _wires(ns: Netns, hosts: tuple[Netns, ...]) -> Iterator[str]:
    known = {other.name: at for at, other in enumerate(hosts)}
    for device in ns.devices.values():
        if device.kind != "veth":
            continue
        if device.peer is None or device.peer[0] not in known:
            yield f"link add {device.name} address {device.mac} type veth"
            continue
        there, name = device.peer
        if (known[ns.name], device.name) < (known[there], name):
            peer = hosts[known[there]].devices[name]
            yield (
                f"link add {device.name} address {device.mac} mtu {device.mtu} type veth"
                f" peer name {name} address {peer.mac} mtu {peer.mtu} netns ${{prefix}}{there}"
            )


def _ports(ns: Netns) -> Iterator[str]:
    for bridge, ports in ns.ports.items():
        for port in ports:
            yield f"link set {port} master {bridge}"


def _addresses(ns: Netns) -> Iterator[str]:
    for device in ns.devices.values():
        if device.kind == "vxlan":
            continue
        yield from _one_device(device)


def _one_device(device: Device) -> Iterator[str]:
    if device.kind != "lo":
        yield f"link set {device.name} mtu {device.mtu}"
    if device.kind == "veth":
        # As on a cable: else TCP sends "frames" of many segments, which no MTU ever stops.
        yield f"link set {device.name} gso_max_segs 1"
    for address in device.addresses:
        if str(address) != "127.0.0.1/8":
            yield f"addr add {address} dev {device.name}"
    if device.up:
        yield f"link set {device.name} up"


def _tunnels(ns: Netns) -> Iterator[str]:
    for device in ns.devices.values():
        if device.vxlan is None:
            continue
        vni, local, port = device.vxlan
        under = f" dev {ns.local[local]}" if local in ns.local else ""
        yield (
            f"link add {device.name} address {device.mac} type vxlan id {vni} local {local}{under}"
            f" dstport {port} nolearning"
        )
        yield from _one_device(device)


def _connected(ns: Netns) -> set[Route]:
    """The routes that the kernel makes by itself, for the addresses of devices that are up."""
    return {
        Route(a.subnet, d.name, src=a.ip, proto="kernel", scope="link")
        for d in ns.devices.values()
        for a in d.addresses
        if d.up and d.kind != "lo" and a.length < 32
    }


def _routes(ns: Netns) -> Iterator[str]:
    routes, connected = set(ns.routes), _connected(ns)
    for route in sorted(connected - routes):
        yield f"route del {route}"
    # A gateway must be reachable when its route is made: directly connected ones go first.
    for route in sorted(routes - connected, key=lambda r: (r.via is not None, r)):
        yield f"route add {route}"


def _neighbours(ns: Netns) -> Iterator[str]:
    for entry in ns.neighbours.values():
        if entry.mac is not None and entry.dev in ns.devices:
            state = "permanent" if entry.state == "PERMANENT" else "reachable"
            yield f"neigh replace {entry.ip} lladdr {entry.mac} dev {entry.dev} nud {state}"


def _forwarding(ns: Netns) -> Iterator[str]:
    for (device, mac), node in ns.vxlan_fdb.items():
        yield f"fdb append {mac} dev {device} dst {node} self permanent"
    for ports in ns.ports.values():
        for port in ports:
            if ns.devices[port].hairpin:
                yield f"link set dev {port} hairpin on"


def _learned(ns: Netns) -> Iterator[str]:
    for entry in ns.fdb.values():
        if not entry.local and ns.devices[entry.port].up:
            yield f"fdb replace {entry.mac} dev {entry.port} master dynamic"


def _programs(ns: Netns) -> Iterator[str]:
    daemons = {name for name, process in ns.processes.items() if isinstance(process, udp.UdpProxy)}
    listen = [
        [s.proto, s.ip, s.port, s.process, None if s.reply is None else s.reply.hex()]
        for s in ns.listeners.values()
        if s.tunnel is None and s.process not in daemons
    ]
    if listen:
        yield from _program("serve", ns, {"listen": listen})
    for process in ns.processes.values():
        if isinstance(process, udp.UdpProxy) and process.running:
            routes = [[r.subnet.net, mask(r.subnet.length), r.public_ip] for r in process.routes]
            settings = {
                "tun": udp.DEVICE, "port": udp.PORT, "routes": routes,
                "address": process.address, "tun_address": process.tun_address,
            }  # fmt: skip
            yield from _program("flanneld", ns, settings)


def _program(verb: str, ns: Netns, settings: dict[str, object]) -> Iterator[str]:
    yield f"helper {verb} {ns.name} <<END-OF-INPUT"
    yield json.dumps({"ready": f"$dir/{verb}-{ns.name}.ready"} | settings)
    yield "END-OF-INPUT"
