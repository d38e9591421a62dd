"""What lives here: the portmap plugin: ports of the node that lead into a container.

It is chained behind the plugin that gave the container its address. One chain is shared
(``CNI-HOSTPORT-DNAT``, entered for the node's own addresses); it jumps by port into the container's
chain, which translates. What comes from the container itself or from 127.0.0.1 is marked (bit 13)
and masqueraded on its way out, so that the answer finds its way back.

Simplified here: the node's ``route_localnet`` is set for all devices, not for the bridge alone. Of
IPv6 there are the rules, not the tables. Source: containernetworking/plugins ``portmap``.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, NamedTuple

from k8snetlib.kube.cni.chains import CniChain, Words, chain_name
from k8snetlib.kube.cni.link import only_ipv4
from k8snetlib.kube.cni.result import Result, previous
from k8snetlib.kube.cni.spec import Call, CniError, Config, field

TOP, SET_MARK, MASQ = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"
DEFAULT_MARK_BIT = 13
_MOST_PORTS = 15


class PortMapping(NamedTuple):
    """One ``portMappings`` entry; ``host_ip`` "": every address of the node."""

    host_port: int
    container_port: int
    protocol: str
    host_ip: str = ""


class PortmapConf(NamedTuple):
    """The plugin's configuration, read. ``set_mark`` is the chain that marks for masquerading."""

    name: str
    mappings: tuple[PortMapping, ...]
    snat: bool = True
    masq_all: bool = False
    mark_bit: int = DEFAULT_MARK_BIT
    set_mark: str = SET_MARK
    conditions_v4: Words = ()
    conditions_v6: Words = ()


def _field(config: Config, key: str, default: Any) -> Any:
    return field(config, key, default, "parse network configuration", "PortMapConf")


def parse(config: Config) -> PortmapConf:
    """Reads a configuration; raises ``CniError`` for what cannot be."""
    external = config.get("externalSetMarkChain")
    if config.get("markMasqBit") is not None and external is not None:
        raise CniError("Cannot specify externalSetMarkChain and markMasqBit")
    bit = _field(config, "markMasqBit", DEFAULT_MARK_BIT)
    if not 0 <= bit <= 31:
        raise CniError("MasqMarkBit must be between 0 and 31")
    mappings = []
    for one in _field(config, "runtimeConfig", {}).get("portMappings") or ():
        mapping = PortMapping(
            _field(one, "hostPort", 0), _field(one, "containerPort", 0),
            _field(one, "protocol", ""), _field(one, "hostIP", ""),
        )  # fmt: skip
        for what, port in (("container", mapping.container_port), ("host", mapping.host_port)):
            if port <= 0:
                raise CniError(f"Invalid {what} port number: {port}")
        mappings.append(mapping)
    return PortmapConf(
        _field(config, "name", ""), tuple(mappings), _field(config, "snat", True),
        _field(config, "masqAll", False), bit, external or SET_MARK,
        tuple(_field(config, "conditionsV4", [])), tuple(_field(config, "conditionsV6", [])),
    )  # fmt: skip


# -- chains ---------------------------------------------------------------------------------------


def top_chain() -> CniChain:
    """The chain that all containers share."""
    entry = ("-m", "addrtype", "--dst-type", "LOCAL")
    return CniChain(TOP, (), ("PREROUTING", "OUTPUT"), (entry,))


def set_mark_chain(bit: int = DEFAULT_MARK_BIT) -> CniChain:
    """The chain that marks what is to be masqueraded."""
    mark = f"{1 << bit:#x}"
    said = ("-m", "comment", "--comment", "CNI portfwd masquerade mark")
    return CniChain(SET_MARK, ((*said, "-j", "MARK", "--set-xmark", f"{mark}/{mark}"),))


def masq_chain(bit: int = DEFAULT_MARK_BIT) -> CniChain:
    """The chain that masquerades it: in front of POSTROUTING, ahead of the containers' own."""
    mark = f"{1 << bit:#x}"
    said = ("-m", "comment", "--comment", "CNI portfwd requiring masquerade")
    rule = ("-m", "mark", "--mark", f"{mark}/{mark}", "-j", "MASQUERADE")
    return CniChain(MASQ, (rule,), ("POSTROUTING",), (said,), prepend=True)


def dnat_chain(conf: PortmapConf, container_id: str, address: str) -> CniChain:
    """A container's own chain; ``address`` is the container's, with its prefix length.

    For each port: mark what comes from the container's subnet, mark what comes from 127.0.0.1, and
    translate. Ports for a host address of the other family get no rule here.
    """
    family = 6 if ":" in address else 4
    rules: list[Words] = []
    for mapping in conf.mappings:
        if mapping.host_ip and ip_address(mapping.host_ip).version != family:
            continue
        rules += _port_rules(conf, mapping, address, family)
    return CniChain(
        chain_name(conf.name, container_id, "DN-"), tuple(rules), (TOP,),
        tuple(_entries(conf, container_id, family)),
    )  # fmt: skip


def _port_rules(conf: PortmapConf, mapping: PortMapping, address: str, family: int) -> list[Words]:
    base: Words = ("-p", mapping.protocol, "--dport", str(mapping.host_port))
    if mapping.host_ip and not ip_address(mapping.host_ip).is_unspecified:
        base = (*base, "-d", mapping.host_ip)
    rules: list[Words] = []
    if conf.snat:
        anywhere = "0.0.0.0/0" if family == 4 else "::/0"
        rules.append((*base, "-s", anywhere if conf.masq_all else address, "-j", conf.set_mark))
        if family == 4 and not conf.masq_all:
            rules.append((*base, "-s", "127.0.0.1", "-j", conf.set_mark))
    ip = address.partition("/")[0]
    target = f"{ip}:{mapping.container_port}" if family == 4 else f"[{ip}]:{mapping.container_port}"
    return [*rules, (*base, "-j", "DNAT", "--to-destination", target)]


def _entries(conf: PortmapConf, container_id: str, family: int) -> list[Words]:
    """The jumps into a container's chain: by protocol, at most fifteen ports each."""
    said = f'dnat name: "{conf.name}" id: "{container_id}"'
    said = said if len(said) <= 255 else said[:253] + "..."
    conditions = conf.conditions_v4 if family == 4 else conf.conditions_v6
    entries: list[Words] = []
    for proto in sorted({mapping.protocol for mapping in conf.mappings}):
        ports = [str(m.host_port) for m in conf.mappings if m.protocol == proto]
        for at in range(0, len(ports), _MOST_PORTS):
            entries.append((
                "-m", "comment", "--comment", said, "-m", "multiport", "-p", proto,
                "--destination-ports", ",".join(ports[at : at + _MOST_PORTS]), *conditions,
            ))  # fmt: skip
    return entries


# -- the plugin -----------------------------------------------------------------------------------


def add(call: Call, config: Config) -> Result:
    """ADD: the rules for the address in ``prevResult``; hands that result on as it is."""
    conf, before = _parse_add(config)
    if before is None:
        raise CniError("must be called as chained plugin")
    address = _container_address(call, before)
    if conf.mappings and address:
        only_ipv4(address)
        ruleset = call.node.ruleset
        if conf.snat and conf.set_mark == SET_MARK:
            set_mark_chain(conf.mark_bit).set_up(ruleset)
            masq_chain(conf.mark_bit).set_up(ruleset)
        if conf.snat:
            # So that 127.0.0.1 as a source may cross into the container's subnet.
            call.node.sysctls["net.ipv4.conf.all.route_localnet"] = 1
        top_chain().set_up(ruleset)
        dnat_chain(conf, call.container_id, address).set_up(ruleset)
    return before


def check(call: Call, config: Config) -> None:
    """CHECK: raises ``CniError`` for a chain or rule that is missing."""
    conf, before = parse(config), previous(config)
    if before is None:
        raise CniError("Required prevResult missing")
    address = _container_address(call, before)
    if conf.mappings and address:
        try:
            dnat_chain(conf, call.container_id, address).check(call.node.ruleset)
        except CniError as error:
            raise CniError(f"could not check ipv4 dnat: {error.message}") from None


def delete(call: Call, config: Config) -> None:
    """DEL: the container's own chain and the jumps to it; the shared chains stay."""
    conf, _ = _parse_add(config)
    if conf.mappings:
        chain = CniChain(chain_name(conf.name, call.container_id, "DN-"), (), (TOP,))
        chain.tear_down(call.node.ruleset)


def _parse_add(config: Config) -> tuple[PortmapConf, Result | None]:
    try:
        return parse(config), previous(config)
    except CniError as error:
        raise CniError(f"failed to parse config: {error.message}") from None


def _container_address(call: Call, result: Result) -> str:
    """The container's first IPv4 address ("" if it has none)."""
    for ip in result.ips:
        if ip.family == 4:
            at = ip.interface
            if at is not None and 0 <= at < len(result.interfaces):
                interface = result.interfaces[at]
                if interface.name != call.ifname or not interface.sandbox:
                    continue
            return ip.address
    return ""
