"""What lives here: starting a plugin as a runtime does: environment and JSON in, JSON out.

``invoke`` is one process: exit status 0 and a result, or 1 and an error object. ``add_list``,
``check_list`` and ``del_list`` are what a runtime makes of a list of plugins (a *conflist*): each
gets the result of the one before; DEL goes backwards. The last result is kept in the node's files,
as libcni does, for CHECK and DEL.

Source: CNI specification 1.0.0 §§2-5; containernetworking/cni ``libcni``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from k8snetlib.kube.cni import bridge, flannel, host_local, loopback, portmap
from k8snetlib.kube.cni.result import Result
from k8snetlib.kube.cni.spec import (
    DECODING,
    ENVIRONMENT,
    INCOMPATIBLE,
    NOTHING_GIVEN,
    VERSIONS,
    Call,
    CniError,
    Config,
    Given,
    call_of,
    knows_check,
    netns_path,
    validate,
    version_of,
)

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

CONF_DIR = "/etc/cni/net.d"
RESULTS = "/var/lib/cni/results"
_BIN = "/opt/cni/bin"


class Plugin(NamedTuple):
    """The three things that a plugin can be asked for."""

    add: Callable[[Call, Config], Result]
    check: Callable[[Call, Config], None]
    delete: Callable[[Call, Config], None]


#: The plugins in ``/opt/cni/bin``.
PLUGINS = {
    "bridge": Plugin(bridge.add, bridge.check, bridge.delete),
    "flannel": Plugin(flannel.add, flannel.check, flannel.delete),
    "host-local": Plugin(host_local.add, host_local.check, host_local.delete),
    "loopback": Plugin(loopback.add, loopback.check, loopback.delete),
    "portmap": Plugin(portmap.add, portmap.check, portmap.delete),
}


class Answer(NamedTuple):
    """What a plugin's process leaves: its standard output, and its exit status."""

    stdout: str
    status: int = 0


def plugin(name: str) -> Plugin:
    """The plugin of that name; raises ``CniError`` as a runtime does that cannot find it."""
    if name not in PLUGINS:
        raise CniError(f'failed to find plugin "{name}" in path [{_BIN}]')
    return PLUGINS[name]


# -- one plugin -----------------------------------------------------------------------------------


def invoke(
    node: Netns, name: str, env: Mapping[str, str], stdin: str, given: Given = NOTHING_GIVEN
) -> Answer:
    """Runs one plugin on a node: ``env`` has CNI_COMMAND and its companions, ``stdin`` the JSON.

    A refusal is an answer (status 1, an error object), not an exception. Raises ``NotModelled`` for
    what the real plugin would do and this one does not.
    """
    try:
        return Answer(_run(node, plugin(name), env, stdin, given))
    except CniError as error:
        return Answer(_indented(_error(error)), 1)


def _error(error: CniError) -> dict[str, Any]:
    out = {"code": error.code, "msg": error.message}
    return {**out, "details": error.details} if error.details else out


def _indented(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False)


def _run(node: Netns, it: Plugin, env: Mapping[str, str], stdin: str, given: Given) -> str:
    call = call_of(node, env, given)
    command = env["CNI_COMMAND"]
    if command == "VERSION":
        versions = {"cniVersion": VERSIONS[-1], "supportedVersions": list(VERSIONS)}
        return json.dumps(versions, separators=(",", ":")) + "\n"
    config = read_config(stdin)
    validate(call, config)
    if command == "ADD":
        version = version_of(config)
        return _indented(it.add(call, config).document(version))
    if command == "CHECK":
        if not knows_check(config):
            raise CniError("config version does not allow CHECK", INCOMPATIBLE)
        it.check(call, config)
    elif command == "DEL":
        version_of(config)
        it.delete(call, config)
    else:
        raise CniError(f"unknown CNI_COMMAND: {command}", ENVIRONMENT)
    return ""


def read_config(text: str) -> dict[str, Any]:
    """A configuration from JSON; raises ``CniError`` (code 6) for what is none."""
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        why = "unexpected end of JSON input"
        if rest:
            why = f"invalid character '{rest[0]}' looking for beginning of value"
        raise CniError(f"error unmarshall network config: {why}", DECODING) from None
    if not isinstance(config, dict):
        raise CniError("error unmarshall network config: json: this is no object", DECODING)
    return config


# -- a list of plugins ----------------------------------------------------------------------------


class Attachment(NamedTuple):
    """A container to be plugged into a network: on which node, under which id, with which
    namespace; ``capabilities`` are what the runtime offers (``{"portMappings": [...]}``)."""

    node: Netns
    container_id: str
    pod: str
    ifname: str = "eth0"
    args: str = ""
    capabilities: Config = MappingProxyType({})
    given: Given = NOTHING_GIVEN

    @property
    def call(self) -> Call:
        """The call that each plugin of a list gets."""
        path = netns_path(self.pod)
        return Call(self.node, self.container_id, path, self.ifname, self.args, self.given)

    def kept(self, network: str) -> str:
        """The path of the file that keeps the result."""
        return f"{RESULTS}/{network}-{self.container_id}-{self.ifname}"


def add_list(to: Attachment, conflist: str) -> Result:
    """ADD for every plugin of a list, in order; returns the last result.

    Raises ``CniError`` that says which plugin refused; what the others did stays until DEL.
    """
    whole = read_config(conflist)
    result: Result | None = None
    for one in whole["plugins"]:
        config = _for_plugin(to, whole, one, result)
        with _Named(one, "add"):
            validate(to.call, config)
            result = plugin(one["type"]).add(to.call, config)
    if result is None:
        raise CniError("no plugins in list")
    _keep(to, whole, conflist, result)
    return result


def check_list(to: Attachment, conflist: str) -> None:
    """CHECK for every plugin of a list; raises ``CniError`` for the first that finds a fault."""
    whole = read_config(conflist)
    if not knows_check(whole):
        version = version_of(whole)
        raise CniError(f'configuration version "{version}" does not support CHECK command')
    if whole.get("disableCheck"):
        return
    before = _recall(to, whole)
    for one in whole["plugins"]:
        with _Named(one, "check"):
            plugin(one["type"]).check(to.call, _for_plugin(to, whole, one, before))


def del_list(to: Attachment, conflist: str) -> None:
    """DEL for every plugin of a list, the last one first; it may be asked twice."""
    whole = read_config(conflist)
    before = _recall(to, whole) if knows_check(whole) else None
    for one in reversed(whole["plugins"]):
        with _Named(one, "delete"):
            plugin(one["type"]).delete(to.call, _for_plugin(to, whole, one, before))
    to.node.files.pop(to.kept(whole["name"]), None)


class _Named:
    """Says in a refusal which plugin of a list it was."""

    def __init__(self, config: Config, verb: str) -> None:
        self.where = f'plugin type="{config["type"]}" failed ({verb})'

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, CniError):
            raise CniError(f"{self.where}: {error.message}", error.code, error.details) from None


def _for_plugin(to: Attachment, whole: Config, one: Config, before: Result | None) -> Config:
    """A plugin's own configuration: the list's name and version, the result before, and of the
    runtime's capabilities those that it asks for."""
    config = {**one, "name": whole["name"], "cniVersion": version_of(whole)}
    wanted = [name for name, on in (one.get("capabilities") or {}).items() if on]
    runtime = {name: to.capabilities[name] for name in wanted if name in to.capabilities}
    if runtime:
        config["runtimeConfig"] = runtime
    if before is not None:
        config["prevResult"] = before.document(version_of(whole))
    return config


def _keep(to: Attachment, whole: Config, conflist: str, result: Result) -> None:
    from base64 import b64encode

    document = {
        "kind": "cniCacheV1",
        "containerId": to.container_id,
        "config": b64encode(conflist.encode()).decode(),
        "ifName": to.ifname,
        "networkName": whole["name"],
        "result": result.document(version_of(whole)),
    }
    to.node.files[to.kept(whole["name"])] = json.dumps(document, separators=(",", ":"))


def _recall(to: Attachment, whole: Config) -> Result | None:
    from k8snetlib.kube.cni.result import previous

    text = to.node.files.get(to.kept(whole["name"]))
    if text is None:
        return None
    return previous({"cniVersion": version_of(whole), "prevResult": json.loads(text)["result"]})
