"""What lives here: ``/run/flannel/subnet.env``, the file by which flanneld tells others its lease.

The CNI plugin reads it for each pod; in the Docker era ``mk-docker-opts.sh`` turned it into
Docker's options, which set the bridge's address and MTU. flanneld itself reads it when it starts:
the subnet it held before is the one that it asks for again.

Source: flannel's main.go, pkg/subnet/subnet.go and dist/mk-docker-opts.sh.
"""

from __future__ import annotations

from k8snetlib.address import Prefix
from k8snetlib.flannel.config import NetConf
from k8snetlib.flannel.ip import (
    FlannelError,
    IP6Net,
    incremented,
    parse_cidr,
    parse_cidr6,
    text6,
)

PATH = "/run/flannel/subnet.env"


def write(conf: NetConf, ip_masq: bool, subnet: Prefix, subnet6: IP6Net | None, mtu: int) -> str:
    """The file's text. ``mtu`` in bytes; the subnets are written as the bridge's addresses."""
    lines = []
    if conf.enable_ipv4:
        lines += [f"FLANNEL_NETWORK={conf.network}", f"FLANNEL_SUBNET={incremented(subnet)}"]
    if conf.enable_ipv6 and subnet6 is not None:
        first = f"{text6(subnet6.net + 1)}/{subnet6.length}"
        lines += [f"FLANNEL_IPV6_NETWORK={conf.ipv6_network}", f"FLANNEL_IPV6_SUBNET={first}"]
    lines += [f"FLANNEL_MTU={mtu}", f"FLANNEL_IPMASQ={'true' if ip_masq else 'false'}"]
    return "\n".join(lines) + "\n"


def read(text: str) -> dict[str, str]:
    """The variables of a file, as a shell (or flannel's godotenv) reads them."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            found[name.strip()] = value
    return found


def subnets(text: str, key: str = "FLANNEL_SUBNET") -> tuple[Prefix, ...]:
    """The IPv4 networks that a variable lists, without those that cannot be read."""
    return tuple(net for net in _each(text, key, parse_cidr) if isinstance(net, Prefix))


def subnets6(text: str, key: str = "FLANNEL_IPV6_SUBNET") -> tuple[IP6Net, ...]:
    """The IPv6 networks that a variable lists, without those that cannot be read."""
    return tuple(net for net in _each(text, key, parse_cidr6) if isinstance(net, IP6Net))


def _each(text: str, key: str, parse: object) -> list[object]:
    assert callable(parse)
    found = []
    for word in read(text).get(key, "").split(","):
        try:
            found.append(parse(word.strip()))
        except FlannelError:
            continue
    return found


def previous_subnet(text: str) -> Prefix | None:
    """The subnet that this node had; None if the file names none, or more than one."""
    found = subnets(text)
    return found[0] if len(found) == 1 else None


def previous_subnet6(text: str) -> IP6Net | None:
    """The IPv6 subnet that this node had."""
    found = subnets6(text)
    return found[0] if len(found) == 1 else None


def docker_opts(
    text: str, *, individual: bool = False, combined: bool = False, ip_masq: bool = True,
    key: str = "DOCKER_OPTS",
) -> str:  # fmt: skip
    """What ``mk-docker-opts.sh`` writes for Docker's unit file.

    Parameters: ``text`` is a subnet.env; ``individual`` (``-i``) asks for a variable an option,
    ``combined`` (``-c``) for one with all of them, neither means both; ``ip_masq`` False is ``-m``;
    ``key`` (``-k``) names the combined one. Docker masquerades where flannel does not.
    """
    if not individual and not combined:
        individual = combined = True
    found = read(text)
    options = {}
    if found.get("FLANNEL_SUBNET"):
        options["DOCKER_OPT_BIP"] = f"--bip={found['FLANNEL_SUBNET']}"
    if ip_masq and found.get("FLANNEL_IPMASQ") in ("true", "false"):
        inverse = "false" if found["FLANNEL_IPMASQ"] == "true" else "true"
        options["DOCKER_OPT_IPMASQ"] = f"--ip-masq={inverse}"
    if found.get("FLANNEL_MTU"):
        options["DOCKER_OPT_MTU"] = f"--mtu={found['FLANNEL_MTU']}"
    lines = [f'{name}="{value}"' for name, value in options.items()] if individual else []
    if combined:
        lines.append(f'{key}="{"".join(" " + value for value in options.values())}"')
    return "\n".join(lines) + "\n"
