"""What lives here: the loopback plugin: it switches ``lo`` of a container on.

In the model a namespace is born with ``lo`` up and 127.0.0.1/8 on it; a runtime's container is not,
and the plugin is what changes that. Source: containernetworking/plugins ``loopback``.

Simplified here: no ``::1``.
"""

from __future__ import annotations

from k8snetlib.address import ZERO_MAC
from k8snetlib.kube.cni.result import Interface, IPConfig, Result, previous
from k8snetlib.kube.cni.spec import Call, CniError, Config


def add(call: Call, config: Config) -> Result:
    """ADD: whatever interface is named, it is ``lo`` that goes up."""
    pod = call.opened()
    if not pod.devices["lo"].up:
        pod.update_device("lo", up=True)
    before = previous(config)
    if before is not None:
        return before
    for address in pod.devices["lo"].addresses:
        if not address.ip.startswith("127."):
            raise CniError(f'loopback interface found with non-loopback address "{address.ip}"')
    ips = tuple(IPConfig(str(a), interface=0) for a in pod.devices["lo"].addresses[:1])
    return Result((Interface("lo", ZERO_MAC, call.netns),), ips)


def check(call: Call, config: Config) -> None:
    """CHECK: raises ``CniError`` if ``lo`` is down."""
    if not call.opened().devices["lo"].up:
        raise CniError("loopback interface is down")


def delete(call: Call, config: Config) -> None:
    """DEL: ``lo`` goes down, if there still is one."""
    pod = call.sandbox
    if pod is not None and pod.devices["lo"].up:
        pod.update_device("lo", up=False)
