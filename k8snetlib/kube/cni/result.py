"""What lives here: a plugin's result, as a value, and as JSON in every version of the protocol.

``Result`` is the newest form (1.0.0): interfaces, addresses that point to them by number, routes,
DNS settings. Older versions wrote the family of each address (0.3, 0.4), or one address a family
and no interfaces (0.1, 0.2).

Source: CNI specification 1.0.0 §5; containernetworking/cni ``pkg/types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from k8snetlib.kube.cni.spec import CniError, Config, version_of


class Interface(NamedTuple):
    """A device that a plugin made; ``sandbox`` is the path of its namespace ("": the node's)."""

    name: str
    mac: str = ""
    sandbox: str = ""


class IPConfig(NamedTuple):
    """An address with its prefix length, its gateway ("": none), the number of its interface."""

    address: str
    gateway: str = ""
    interface: int | None = None

    @property
    def ip(self) -> str:
        """The address alone."""
        return self.address.partition("/")[0]

    @property
    def length(self) -> int:
        """The prefix length in bits."""
        return int(self.address.partition("/")[2])

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


class CniRoute(NamedTuple):
    """A route that the container is to have; ``gw`` "": the gateway of the addresses."""

    dst: str
    gw: str = ""


class Result(NamedTuple):
    """What a plugin hands to the runtime, and the runtime to the next plugin."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[IPConfig, ...] = ()
    routes: tuple[CniRoute, ...] = ()
    dns: tuple[tuple[str, Any], ...] = ()

    def document(self, version: str) -> dict[str, Any]:
        """The JSON document, in the form of a version of the protocol."""
        routes = [_kept({"dst": r.dst, "gw": r.gw}) for r in self.routes]
        if version in ("0.1.0", "0.2.0"):
            return {"cniVersion": version, **self._by_family(), "dns": dict(self.dns)}
        out: dict[str, Any] = {"cniVersion": version}
        if self.interfaces:
            out["interfaces"] = [_kept(i._asdict()) for i in self.interfaces]
        if self.ips:
            out["ips"] = [self._ip(ip, version) for ip in self.ips]
        if routes:
            out["routes"] = routes
        return {**out, "dns": dict(self.dns)}

    @staticmethod
    def _ip(ip: IPConfig, version: str) -> dict[str, Any]:
        out: dict[str, Any] = {} if version == "1.0.0" else {"version": str(ip.family)}
        if ip.interface is not None:
            out["interface"] = ip.interface
        return {**out, **_kept({"address": ip.address, "gateway": ip.gateway})}

    def _by_family(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for family in (4, 6):
            ip = next((ip for ip in self.ips if ip.family == family), None)
            if ip is not None:
                routes = [_kept({"dst": r.dst, "gw": r.gw}) for r in self.routes
                          if (":" in r.dst) == (family == 6)]  # fmt: skip
                one: dict[str, Any] = _kept({"ip": ip.address, "gateway": ip.gateway})
                out[f"ip{family}"] = {**one, "routes": routes} if routes else one
        return out


def _kept(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def previous(config: Config) -> Result | None:
    """The ``prevResult`` of a configuration; raises ``CniError`` if it cannot be one."""
    document = config.get("prevResult")
    if document is None:
        return None
    try:
        return _parse(document, version_of(config))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CniError(f"could not parse prevResult: {error}") from None


def _parse(document: Config, version: str) -> Result:
    if version in ("0.1.0", "0.2.0"):
        found = [document[f"ip{family}"] for family in (4, 6) if f"ip{family}" in document]
        ips = tuple(IPConfig(one["ip"], one.get("gateway", "")) for one in found)
        routes = [route for one in found for route in one.get("routes", ())]
        interfaces: tuple[Interface, ...] = ()
    else:
        ips = tuple(
            IPConfig(ip["address"], ip.get("gateway", ""), ip.get("interface"))
            for ip in document.get("ips", ())
        )
        routes = document.get("routes", [])
        interfaces = tuple(
            Interface(i["name"], i.get("mac", ""), i.get("sandbox", ""))
            for i in document.get("interfaces", ())
        )
    for ip in ips:
        int(ip.address.split("/")[1])
    return Result(
        interfaces, ips, tuple(CniRoute(r["dst"], r.get("gw", "")) for r in routes),
        tuple(document.get("dns", {}).items()),
    )  # fmt: skip
