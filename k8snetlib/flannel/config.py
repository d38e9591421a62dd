"""What lives here: flannel's network configuration (net-conf): parsing, limits and defaults.

The configuration is a JSON text, in etcd under ``/coreos.com/network/config`` or in the ConfigMap
``kube-flannel-cfg``. ``parse_config`` reads it as flanneld does: names in any case, IPv4 on unless
switched off, ``udp`` if no backend is named (the documentation says vxlan; the code decides).
``check_network_config`` fills in the defaults and refuses what cannot work, in flannel's own words;
flannel applies it when etcd holds the leases, not with ``--kube-subnet-mgr``.

Simplified here: Go's error for a value of the wrong type is given without the offset.
Source: flannel's pkg/subnet/config.go and Documentation/configuration.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from k8snetlib.address import Prefix, ip_text, number
from k8snetlib.errors import BadAddress
from k8snetlib.flannel.ip import (
    FlannelError,
    IP6Net,
    number6,
    parse_cidr,
    parse_cidr6,
    parse_ip4,
    text6,
)

DEFAULT_BACKEND = "udp"


class NetConf(NamedTuple):
    """flannel's network configuration. Addresses are text, lengths in bits (0: not given).

    ``backend`` holds the backend's own options, ``Type`` among them.
    """

    network: Prefix | None = None
    subnet_min: str = ""
    subnet_max: str = ""
    subnet_len: int = 0
    ipv6_network: IP6Net | None = None
    ipv6_subnet_min: str = ""
    ipv6_subnet_max: str = ""
    ipv6_subnet_len: int = 0
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    enable_nftables: bool = False
    backend_type: str = DEFAULT_BACKEND
    backend: Mapping[str, Any] = {}

    def allows(self, subnet: Prefix, subnet6: IP6Net | None = None) -> bool:
        """True if a lease of these networks fits the configuration (its range and its length)."""
        low, high = number(self.subnet_min), number(self.subnet_max)
        if not low <= subnet.net <= high or subnet.length != self.subnet_len:
            return False
        if not self.enable_ipv6 or subnet6 is None:
            return not self.enable_ipv6 and subnet6 is None
        low, high = number6(self.ipv6_subnet_min), number6(self.ipv6_subnet_max)
        return low <= subnet6.net <= high and subnet6.length == self.ipv6_subnet_len


# -- parsing --------------------------------------------------------------------------------------


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise FlannelError(f"invalid CIDR address: {value}")
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(value, name, "bool")
    return value


def _length(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong_type(value, name, "uint")
    return value


def _address(value: Any, name: str) -> str:
    return parse_ip4(value if isinstance(value, str) else "")


def _address6(value: Any, name: str) -> str:
    try:
        return text6(number6(value if isinstance(value, str) else ""))
    except BadAddress:
        raise FlannelError("Invalid IP address format") from None


def _wrong_type(value: Any, name: str, kind: str) -> FlannelError:
    what = {str: "string", bool: "bool", dict: "object", list: "array"}.get(type(value))
    what = what or f"number {value}"
    return FlannelError(
        f"json: cannot unmarshal {what} into Go struct field Config.{name} of type {kind}"
    )


#: A name of the JSON object -> the field of ``NetConf``, and how its value is read.
_FIELDS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "Network": ("network", lambda value, name: parse_cidr(_text(value, name))),
    "SubnetMin": ("subnet_min", _address),
    "SubnetMax": ("subnet_max", _address),
    "SubnetLen": ("subnet_len", _length),
    "IPv6Network": ("ipv6_network", lambda value, name: parse_cidr6(_text(value, name))),
    "IPv6SubnetMin": ("ipv6_subnet_min", _address6),
    "IPv6SubnetMax": ("ipv6_subnet_max", _address6),
    "IPv6SubnetLen": ("ipv6_subnet_len", _length),
    "EnableIPv4": ("enable_ipv4", _flag),
    "EnableIPv6": ("enable_ipv6", _flag),
    "EnableNFTables": ("enable_nftables", _flag),
}
_NAMES = {name.lower(): name for name in _FIELDS}


def parse_config(text: str) -> NetConf:
    """Reads a net-conf; nothing is checked but its form. Raises ``FlannelError``."""
    document = _json(text)
    if document is None:
        return NetConf()  # null leaves Go's value as it was
    if not isinstance(document, dict):
        kind = {str: "string", list: "array", bool: "bool"}.get(type(document), "number")
        raise FlannelError(f"json: cannot unmarshal {kind} into Go value of type subnet.Config")
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = _NAMES.get(key.lower())
        if name is not None and value is not None:
            field, read = _FIELDS[name]
            found[field] = read(value, name)
        elif key.lower() == "backend":
            found["backend_type"], found["backend"] = _backend(value)
    return NetConf(**found)


def _backend(value: Any) -> tuple[str, dict[str, Any]]:
    if value is None:
        return "", {}
    if not isinstance(value, dict):
        raise FlannelError(
            "error decoding Backend property of config: json: cannot unmarshal "
            f"{'string' if isinstance(value, str) else 'value'} into Go value of type struct"
        )
    kind = next((v for k, v in value.items() if k.lower() == "type"), "")
    if not isinstance(kind, str):
        raise FlannelError(
            "error decoding Backend property of config: json: cannot unmarshal "
            "number into Go struct field .Type of type string"
        )
    return kind, dict(value)


def backend_option(conf: NetConf, name: str, default: Any) -> Any:
    """One option of the backend, by its name in any case; it must have the default's type."""
    for key, value in conf.backend.items():
        if key.lower() != name.lower() or value is None:
            continue
        if type(value) is not type(default):
            what = {"udp": "UDP", "vxlan": "VXLAN"}.get(conf.backend_type, conf.backend_type)
            kind = "bool" if isinstance(default, bool) else "int"
            got = {str: "string", bool: "bool"}.get(type(value), f"number {value}")
            raise FlannelError(
                f"error decoding {what} backend config: json: cannot unmarshal {got} into "
                f"Go struct field .{name} of type {kind}"
            )
        return value
    return default


def _json(text: str) -> Any:
    import json

    def no_constant(name: str) -> None:
        raise FlannelError(f"invalid character '{name[0]}' looking for beginning of value")

    try:
        return json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise FlannelError(_in_go_words(error.msg, text, error.pos)) from None
    except RecursionError:
        raise FlannelError("exceeded max depth") from None


def _in_go_words(message: str, text: str, at: int) -> str:
    """Python's complaint about a JSON text as Go's encoding/json words it."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    if at >= len(text) or message.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    expected = {
        "Expecting property name enclosed in double quotes":
            "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Extra data": "after top-level value",
        "Expecting ',' delimiter": "after object key:value pair",
    }.get(message, "looking for beginning of value")  # fmt: skip
    return f"invalid character {text[at]!r} {expected}"


# -- limits and defaults --------------------------------------------------------------------------


def check_network_config(conf: NetConf) -> NetConf:
    """The configuration with its defaults; raises ``FlannelError`` for one that cannot work."""
    if conf.enable_ipv4:
        conf = _check_ipv4(conf)
    if conf.enable_ipv6:
        conf = _check_ipv6(conf)
    return conf


def _length_for(
    given: int, network: int, *, longest: int, useful: int, usual: int, what: str
) -> int:
    """How long the prefix of one node's subnet is. The first subnet of a network is not used, so
    there must be room for four."""
    if given:
        if given > longest:
            raise FlannelError(f"SubnetLen must be less than /{longest + 1}")
        if given < network + 2:
            raise FlannelError("network must be able to accommodate at least four subnets")
        return given
    if network > useful:
        raise FlannelError(f"{what} is too small. Minimum useful network prefix is /{useful}")
    return usual if network <= usual - 2 else network + 2


def _limits(
    net: Prefix | IP6Net, length: int, bits: int, given: list[int], family: str,
    text: Callable[[int], str],
) -> tuple[str, str]:  # fmt: skip
    """The first and the last subnet to lease, as text: ``given`` (0: not), or the second subnet and
    the last one; ``bits`` is how long an address is, ``family`` what its options begin with."""
    size, whole = 1 << bits - length, 1 << bits - net.length
    values = [given[0] or net.net + size, given[1] or net.net + whole - size]
    names = f"{family}SubnetMin", f"{family}SubnetMax"
    for name, value in zip(names, values, strict=True):
        if not net.net <= value < net.net + whole:
            raise FlannelError(f"{name} is not in the range of the {family}Network")
    for name, value in zip(names, values, strict=True):
        if value % size:
            raise FlannelError(f"{name} is not on a SubnetLen boundary: {text(value)}")
    return text(values[0]), text(values[1])


def _check_ipv4(conf: NetConf) -> NetConf:
    net = conf.network
    if net is None or net == Prefix(0, 0):
        raise FlannelError("please define a correct Network parameter in the flannel config")
    length = _length_for(
        conf.subnet_len, net.length, longest=30, useful=28, usual=24, what="network"
    )
    given = [number(ip) if ip else 0 for ip in (conf.subnet_min, conf.subnet_max)]
    low, high = _limits(net, length, 32, given, "", ip_text)
    return conf._replace(subnet_len=length, subnet_min=low, subnet_max=high)


def _check_ipv6(conf: NetConf) -> NetConf:
    net = conf.ipv6_network
    if net is None or net == IP6Net(0, 0):
        raise FlannelError("please define a correct IPv6Network parameter in the flannel config")
    length = _length_for(
        conf.ipv6_subnet_len, net.length, longest=126, useful=124, usual=64, what="IPv6Network"
    )
    given = [number6(ip) if ip else 0 for ip in (conf.ipv6_subnet_min, conf.ipv6_subnet_max)]
    low, high = _limits(net, length, 128, given, "IPv6", text6)
    return conf._replace(ipv6_subnet_len=length, ipv6_subnet_min=low, ipv6_subnet_max=high)
