"""What lives here: the flannel CNI plugin: from flanneld's ``subnet.env`` to a bridge.

It is a meta-plugin: it reads the node's subnet, writes the configuration for the bridge plugin and
host-local, keeps that under the container's id for DEL, and starts the bridge plugin. The bridge
masquerades only if flanneld does not (``ipMasq`` is the opposite of FLANNEL_IPMASQ). What carries
the packets between the nodes is flanneld's business; this plugin knows nothing of it.

Simplified here: it delegates to the bridge plugin only. Source: flannel-io/cni-plugin.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

from k8snetlib.flannel import subnet_env
from k8snetlib.kube.cni import bridge
from k8snetlib.kube.cni.result import Result
from k8snetlib.kube.cni.spec import Call, CniError, Config, field

SUBNET_FILE = subnet_env.PATH
DATA_DIR = "/var/lib/cni/flannel"
_FAMILIES = ("", "IPV6_")


def read_subnet_env(text: str | None, path: str = SUBNET_FILE) -> dict[str, str]:
    """The variables of a subnet.env, networks without host bits; None: there is no such file.

    Raises ``CniError`` in the plugin's words for a missing file, a missing variable or a wrong one.
    """
    if text is None:
        raise _failed(f"open {path}: no such file or directory")
    env = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    for key in ("NETWORK", "SUBNET"):
        for family in _FAMILIES:
            if (name := f"FLANNEL_{family}{key}") in env:
                env[name] = ",".join(_network(part) for part in env[name].split(","))
    mtu = env.get("FLANNEL_MTU", "0")
    if not mtu.isdigit():
        raise _failed(f'strconv.ParseUint: parsing "{mtu}": invalid syntax')
    missing: list[str] = []
    for key in ("NETWORK", "SUBNET"):
        names = [f"FLANNEL_{family}{key}" for family in _FAMILIES]
        missing += [] if any(name in env for name in names) else names
    missing += [name for name in ("FLANNEL_MTU", "FLANNEL_IPMASQ") if name not in env]
    if missing:
        raise _failed(f"{path} is missing {', '.join(missing)}")
    return env


def _network(text: str) -> str:
    try:
        if "/" not in text:
            raise ValueError
        return str(ip_network(text, strict=False))
    except ValueError:
        raise _failed(f"invalid CIDR address: {text}") from None


def _failed(why: str) -> CniError:
    return CniError(f"loadFlannelSubnetEnv failed: {why}")


def delegate(config: Config, env: dict[str, str]) -> dict[str, Any]:
    """The configuration that the bridge plugin gets; raises ``CniError`` for a ``delegate`` that
    says what only flannel may say."""
    made = dict(field(config, "delegate", {}))
    if not isinstance(made.get("type", ""), str):
        raise CniError("'delegate' dictionary, if present, must have (string) 'type' field")
    for name in ("name", "ipam"):
        if name in made:
            why = f"must not have '{name}' field, it'll be set by flannel"
            raise CniError(f"'delegate' dictionary {why}")
    if config.get("runtimeConfig") is not None:
        made["runtimeConfig"] = config["runtimeConfig"]
    made["name"] = config.get("name", "")
    made.setdefault("type", "bridge")
    made.setdefault("ipMasq", env["FLANNEL_IPMASQ"] != "true")
    made.setdefault("mtu", int(env["FLANNEL_MTU"]))
    if made["type"] == "bridge":
        made.setdefault("isGateway", True)
    if config.get("cniVersion"):
        made["cniVersion"] = config["cniVersion"]
    made["ipam"] = _ipam(field(config, "ipam", {}), env)
    return made


def _ipam(given: Config, env: dict[str, str]) -> dict[str, Any]:
    subnets = [env[n] for f in _FAMILIES if (n := f"FLANNEL_{f}SUBNET") in env]
    networks = [n for f in _FAMILIES for n in env.get(f"FLANNEL_{f}NETWORK", "").split(",") if n]
    routes = [*(given.get("routes") or ()), *({"dst": network} for network in networks)]
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    return {"type": "host-local", **given, "ranges": ranges, "routes": routes}


def add(call: Call, config: Config) -> Result:
    """ADD: writes the delegate's configuration, keeps it, and starts the bridge plugin with it."""
    path = field(config, "subnetFile", "") or SUBNET_FILE
    made = delegate(config, read_subnet_env(call.node.files.get(path), path))
    call.node.files[_kept(call, config)] = json.dumps(made, sort_keys=True, separators=(",", ":"))
    try:
        if made["type"] != "bridge":
            raise CniError(f'failed to find plugin "{made["type"]}" in path [/opt/cni/bin]')
        return bridge.add(call, made)
    except CniError as error:
        raise CniError(f"failed to delegate add: {error.message}", error.code) from None


def delete(call: Call, config: Config) -> None:
    """DEL: starts the bridge plugin with what ADD kept; nothing kept, nothing to do."""
    path = _kept(call, config)
    text = call.node.files.get(path)
    if text is not None:
        bridge.delete(call, json.loads(text))
        del call.node.files[path]


def check(call: Call, config: Config) -> None:
    """CHECK: the real plugin does not look either."""


def _kept(call: Call, config: Config) -> str:
    return f"{field(config, 'dataDir', '') or DATA_DIR}/{call.container_id}"
