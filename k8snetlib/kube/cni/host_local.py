"""What lives here: the host-local plugin: addresses out of ranges, remembered in files of the node.

``/var/lib/cni/networks/NETWORK/ADDRESS`` holds the container's id and interface;
``last_reserved_ip.N`` is the address that range set N gave away last. The next one comes from
behind it, so a released address is used again only after all the others.

Simplified here: ``lock`` is there and never locked, for the model has one process at a time;
``resolvConf`` is read from the node's files. Source: containernetworking/plugins
``host-local``, its tests, and ``tests/kernel/test_cni_real.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from k8snetlib.kube.cni.ranges import Ip, Range, RangeSet, parse_address
from k8snetlib.kube.cni.result import CniRoute, IPConfig, Result
from k8snetlib.kube.cni.spec import Call, CniError, Config, env_args, version_of

DATA_DIR = "/var/lib/cni/networks"


class Store:
    """The files of one network. Parameters: all ``files`` of the node, the network's ``folder``."""

    __slots__ = ("files", "folder")

    def __init__(self, files: dict[str, str], folder: str) -> None:
        self.files = files
        self.folder = folder
        files.setdefault(f"{folder}/lock", "")

    def reserve(self, owner: str, ip: Ip, set_number: int) -> bool:
        """Writes the address's file and makes it the last one; False if somebody has it."""
        path = f"{self.folder}/{ip}"
        if path in self.files:
            return False
        self.files[path] = owner
        self.files[f"{self.folder}/last_reserved_ip.{set_number}"] = str(ip)
        return True

    def last(self, set_number: int) -> Ip | None:
        """The address that a range set gave away last, if it says one."""
        text = self.files.get(f"{self.folder}/last_reserved_ip.{set_number}")
        try:
            return parse_address(text) if text else None
        except CniError:
            return None

    def addresses(self, owner: str) -> list[Ip]:
        """The addresses of an owner, in the order of their files' names."""
        return [ip for path, ip in self._reserved() if self.files[path].strip() == owner]

    def release(self, owner: str) -> None:
        """Removes every file of an owner; nothing to remove is no error."""
        for path, _ in self._reserved():
            if self.files[path].strip() == owner:
                del self.files[path]

    def _reserved(self) -> list[tuple[str, Ip]]:
        found = []
        for path in sorted(self.files):
            folder, _, name = path.rpartition("/")
            if folder == self.folder and name != "lock" and not name.startswith("last_reserved"):
                found.append((path, parse_address(name)))
        return found


def owner_of(container_id: str, ifname: str) -> str:
    """What stands in an address's file."""
    return f"{container_id.strip()}\r\n{ifname}"


class Allocator(NamedTuple):
    """Gives addresses of one range set away, round robin. ``number`` is the set's."""

    ranges: RangeSet
    store: Store
    number: int = 0

    def get(self, container_id: str, ifname: str = "eth0", requested: Ip | None = None) -> IPConfig:
        """Reserves an address; raises ``CniError`` if there is none to have."""
        owner = owner_of(container_id, ifname)
        if requested is not None:
            return self._requested(owner, requested)
        for ip in self.store.addresses(owner):
            if self.ranges.contains(ip):
                raise CniError(
                    f"{ip} has been allocated to {container_id}, "
                    "duplicate allocation is not allowed"
                )
        for ip, one in self.ranges.after(self.store.last(self.number)):
            if self.store.reserve(owner, ip, self.number):
                return _config(ip, one)
        raise CniError(f"no IP addresses available in range set: {self.ranges}")

    def _requested(self, owner: str, ip: Ip) -> IPConfig:
        one = self.ranges.ranges[self.ranges.index_of(ip)]
        if ip == one.gateway:
            raise CniError(f"requested ip {ip} is subnet's gateway")
        if not self.store.reserve(owner, ip, self.number):
            raise CniError(f"requested IP address {ip} is not available in range set {self.ranges}")
        return _config(ip, one)


def _config(ip: Ip, one: Range) -> IPConfig:
    return IPConfig(f"{ip}/{one.subnet.prefixlen}", str(one.gateway))


# -- the configuration ----------------------------------------------------------------------------


class Ipam(NamedTuple):
    """The ``ipam`` section, read: range sets, requested addresses, routes, where the files are."""

    sets: tuple[RangeSet, ...]
    requested: tuple[Ip, ...]
    routes: tuple[CniRoute, ...]
    folder: str
    resolv_conf: str


def parse(call: Call, config: Config) -> Ipam:
    """The configuration of a call; raises ``CniError`` for what host-local refuses."""
    ipam = config.get("ipam")
    if ipam is None:
        raise CniError("IPAM config missing 'ipam' key")
    runtime = config.get("runtimeConfig") or {}
    sets = list(runtime.get("ipRanges") or ())
    if ipam.get("subnet"):
        sets.append([ipam])
    sets += ipam.get("ranges") or ()
    if not sets:
        raise CniError("no IP ranges specified")
    requested = _requests(call, config)
    return Ipam(
        _range_sets(sets, version_of(config)), requested,
        tuple(_route(route) for route in ipam.get("routes") or ()),
        f"{ipam.get('dataDir') or DATA_DIR}/{config['name']}", ipam.get("resolvConf", ""),
    )  # fmt: skip


def _requests(call: Call, config: Config) -> tuple[Ip, ...]:
    """Addresses asked for: in CNI_ARGS, in ``args.cni.ips``, in ``runtimeConfig.ips``."""
    texts: list[str] = []
    if "IP" in (args := env_args(call.args, ("IP",))):
        try:
            texts.append(str(parse_address(args["IP"])))
        except CniError:
            pair = f"IP={args['IP']}"
            why = f"invalid IP address {args['IP']}"
            raise CniError(f'ARGS: error parsing value of pair "{pair}": {why}') from None
    texts += ((config.get("args") or {}).get("cni") or {}).get("ips") or ()
    texts += (config.get("runtimeConfig") or {}).get("ips") or ()
    return tuple(dict.fromkeys(parse_address(text.partition("/")[0]) for text in texts))


def _range_sets(configs: Iterable[Any], version: str) -> tuple[RangeSet, ...]:
    sets: list[RangeSet] = []
    for number, config in enumerate(configs):
        try:
            sets.append(RangeSet.parse(config))
        except CniError as error:
            if error.message.startswith(("invalid CIDR", "invalid IP")):
                raise  # the JSON itself cannot be read
            raise CniError(f"invalid range set {number}: {error.message}") from None
    families = [one.version for one in sets]
    if version in ("0.1.0", "0.2.0") and len(families) > len(set(families)):
        raise CniError(f"CNI version {version} does not support more than 1 address per family")
    for a, one in enumerate(sets):
        for b in range(a + 1, len(sets)):
            if one.overlaps(sets[b]):
                raise CniError(f"range set {a} overlaps with {b}")
    return tuple(sets)


def _route(config: Config) -> CniRoute:
    from ipaddress import ip_interface

    dst = str(config.get("dst", ""))
    try:
        if "/" not in dst:
            raise ValueError
        dst = str(ip_interface(dst))
    except ValueError:
        raise CniError(f"invalid CIDR address: {dst}") from None
    return CniRoute(dst, str(parse_address(config["gw"])) if config.get("gw") else "")


# -- the plugin -----------------------------------------------------------------------------------


def add(call: Call, config: Config) -> Result:
    """ADD: one address of every range set; all or none."""
    ipam = parse(call, config)
    dns = _resolv_conf(call, ipam.resolv_conf) if ipam.resolv_conf else ()
    store = Store(call.node.files, ipam.folder)
    open_requests = list(ipam.requested)
    ips: list[IPConfig] = []
    try:
        for number, ranges in enumerate(ipam.sets):
            wanted = next((ip for ip in open_requests if ranges.contains(ip)), None)
            if wanted is not None:
                open_requests.remove(wanted)
            try:
                ips.append(Allocator(ranges, store, number).get(
                    call.container_id, call.ifname, wanted))  # fmt: skip
            except CniError as error:
                why = f"failed to allocate for range {number}: {error.message}"
                raise CniError(why) from None
        if open_requests:
            names = " ".join(str(ip) for ip in open_requests)
            raise CniError(f"failed to allocate all requested IPs: {names}")
    except CniError:
        if ips:
            store.release(owner_of(call.container_id, call.ifname))
        raise
    return Result(ips=tuple(ips), routes=ipam.routes, dns=dns)


def delete(call: Call, config: Config) -> None:
    """DEL: the container's addresses are free again; it may be asked twice."""
    ipam = parse(call, config)
    Store(call.node.files, ipam.folder).release(owner_of(call.container_id, call.ifname))


def check(call: Call, config: Config) -> None:
    """CHECK: the container has some address here; raises ``CniError`` if not."""
    store = Store(call.node.files, parse(call, config).folder)
    if not store.addresses(owner_of(call.container_id, call.ifname)):
        raise CniError(f"host-local: Failed to find address added by container {call.container_id}")


def _resolv_conf(call: Call, path: str) -> tuple[tuple[str, Any], ...]:
    """The DNS settings of a resolv.conf, in the order in which a result prints them."""
    text = call.node.files.get(path)
    if text is None:
        raise CniError(f"open {path}: no such file or directory")
    found: dict[str, list[str]] = {"nameserver": [], "domain": [], "search": [], "options": []}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or line.startswith(("#", ";")):
            continue
        if words[0] in ("nameserver", "domain"):
            found[words[0]].append(words[1])
        elif words[0] in found:
            found[words[0]] += words[1:]
    dns: dict[str, Any] = {
        "nameservers": found["nameserver"],
        "domain": found["domain"][-1] if found["domain"] else "",
        "search": found["search"],
        "options": found["options"],
    }
    return tuple((key, value) for key, value in dns.items() if value)
