"""What lives here: the CNI protocol's own words: a call, its errors, the versions, ``CNI_ARGS``.

A runtime starts a plugin on a node with a command (ADD, DEL, CHECK, VERSION) and the names of a
container, a network namespace and an interface in the environment, and with a configuration as
JSON. ``Call`` is the environment. The plugin answers with a result, or with an error object: a code
that the specification fixes, a message, perhaps details.

What may not live here: what a plugin does (``bridge``, ``host_local`` …), JSON (``invoke``).

Simplified here: a path of CNI_NETNS names a namespace of the model by its last part
(``/var/run/netns/web1``). Source: CNI specification 1.0.0 §2; containernetworking/cni ``pkg/skel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.errors import K8sNetError

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns
    from k8snetlib.linux.network import Network

Config = Mapping[str, Any]

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0")

INCOMPATIBLE, UNKNOWN_CONTAINER, ENVIRONMENT, DECODING, BAD_CONFIG = 1, 3, 4, 6, 7
INTERNAL = 999

#: A command -> the variables that it must find in its environment.
_NEEDED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_NETNS_FOLDER = "/var/run/netns/"


class CniError(K8sNetError):
    """A plugin's refusal. Parameters: ``msg`` in the real plugin's words, ``code`` of the
    specification (999: the plugin's own trouble), ``details`` (may be empty)."""

    def __init__(self, msg: str, code: int = INTERNAL, details: str = "") -> None:
        super().__init__(msg, details)
        self.code = code
        self.details = details


class Given(NamedTuple):
    """What a builder of examples fixes and a real plugin draws or lets the kernel draw: the name
    of the veth pair's host end, and the MAC addresses of both ends and of a new bridge."""

    veth: str | None = None
    veth_mac: str | None = None
    mac: str | None = None
    bridge_mac: str | None = None


NOTHING_GIVEN = Given()


class Call(NamedTuple):
    """One start of a plugin: the node on which it runs, and its environment.

    ``netns`` is a path, or "" (allowed for DEL); ``args`` is CNI_ARGS (``IP=10.1.0.9;MAC=…``).
    """

    node: Netns
    container_id: str
    netns: str
    ifname: str = "eth0"
    args: str = ""
    given: Given = NOTHING_GIVEN

    @property
    def network(self) -> Network:
        """The network that the node is part of."""
        network = self.node.network
        if network is None:
            raise K8sNetError(f"{self.node.name} is part of no network.", "Network.add it first.")
        return network

    @property
    def sandbox(self) -> Netns | None:
        """The container's namespace; None if there is none (any more), or no path to it."""
        return self.network.netns.get(self.netns.rpartition("/")[2])

    def pod(self) -> Netns:
        """The container's namespace; raises ``CniError`` as the plugins do if it is gone."""
        try:
            return self.opened()
        except CniError as error:
            raise CniError(f'failed to open netns "{self.netns}": {error.message}') from None

    def opened(self) -> Netns:
        """The same, refused in the words of the system alone."""
        found = self.sandbox
        if found is None:
            raise CniError(f'failed to Statfs "{self.netns}": no such file or directory')
        return found


def netns_path(name: str) -> str:
    """The path of a namespace of the model, as CNI_NETNS has it."""
    return _NETNS_FOLDER + name


# -- the environment ------------------------------------------------------------------------------


def call_of(node: Netns, env: Mapping[str, str], given: Given = NOTHING_GIVEN) -> Call:
    """The call that an environment describes; raises ``CniError`` (code 4) for what is missing."""
    command = env.get("CNI_COMMAND", "")
    missing = [name for name in _NEEDED.get(command, ()) if not env.get(name)]
    if not command:
        missing = ["CNI_COMMAND"]
    if missing:
        raise CniError(f"required env variables [{','.join(missing)}] missing", ENVIRONMENT)
    found = (env.get(f"CNI_{name}", "") for name in ("CONTAINERID", "NETNS", "IFNAME", "ARGS"))
    container_id, netns, ifname, args = found
    return Call(node, container_id, netns, ifname, args, given)


def validate(call: Call, config: Config) -> None:
    """Refuses names that the specification does not allow, before the plugin begins."""
    name = config.get("name") or ""
    if not name:
        raise CniError("missing network name", BAD_CONFIG)
    if not _NAME.fullmatch(name):
        raise CniError("invalid characters found in network name", BAD_CONFIG, name)
    if not _NAME.fullmatch(call.container_id):
        raise CniError("invalid characters in containerID", ENVIRONMENT, call.container_id)
    if len(call.ifname) > 15:
        limit = "interface name should be less than 16 characters"
        raise CniError("interface name is too long", ENVIRONMENT, limit)
    if call.ifname in (".", ".."):
        raise CniError("interface name is . or ..", ENVIRONMENT)
    if re.search(r"[/:\s]", call.ifname):
        raise CniError("interface name contains / or : or whitespace characters", ENVIRONMENT)


def version_of(config: Config) -> str:
    """The configuration's version (0.1.0 if it names none); raises ``CniError`` (code 1)."""
    version = str(config.get("cniVersion") or VERSIONS[0])
    if version not in VERSIONS:
        supported = " ".join(f'"{v}"' for v in VERSIONS)
        details = f'config is "{version}", plugin supports [{supported}]'
        raise CniError("incompatible CNI versions", INCOMPATIBLE, details)
    return version


def knows_check(config: Config) -> bool:
    """CHECK came with version 0.4.0, and with it that DEL gets the result."""
    return VERSIONS.index(version_of(config)) >= VERSIONS.index("0.4.0")


def env_args(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The pairs of CNI_ARGS that a plugin knows; others are refused unless the text itself says
    ``IgnoreUnknown``."""
    found: dict[str, str] = {}
    unknown: list[str] = []
    for pair in filter(None, text.split(";")):
        key, equals, value = pair.partition("=")
        if not equals or "=" in value:
            raise CniError(f'ARGS: invalid pair "{pair}"')
        if key in (*known, "IgnoreUnknown"):
            found[key] = value
        else:
            unknown.append(f'"{pair}"')
    if unknown and found.pop("IgnoreUnknown", "").lower() not in ("1", "t", "true"):
        raise CniError(f"ARGS: unknown args [{' '.join(unknown)}]")
    return found


# -- the configuration ----------------------------------------------------------------------------

_JSON = {bool: "bool", int: "number", str: "string", list: "array", dict: "object"}
_GO = {bool: "bool", int: "int", str: "string", list: "slice", dict: "map"}


def field(
    config: Config, key: str, default: Any, doing: str = "load netconf", struct: str = "NetConf"
) -> Any:
    """A configuration's field, of the type of its default; raises ``CniError`` in Go's words.

    ``doing`` and ``struct`` are what the plugin calls its reading, and the thing it reads.
    """
    value = config.get(key)
    if value is None:
        return default
    kind = type(default)
    if type(value) is not kind:
        was, wanted = _JSON.get(type(value), "number"), _GO[kind]
        raise CniError(
            f"failed to {doing}: json: cannot unmarshal {was} into Go struct field "
            f"{struct}.{key} of type {wanted}"
        )
    return value
