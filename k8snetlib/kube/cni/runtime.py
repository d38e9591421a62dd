"""What lives here: ``Runtime``, the part that containerd plays in a CNI call, and its log.

A runtime makes a pod's network namespace, calls one plugin with environment and JSON, and keeps no
record of addresses itself. Each call is remembered with what it changed: devices, addresses and
routes in the pod and on the node, and the plugin's files. The changes are the difference between
before and after, so they tell what a plugin did, not what it should do.

What may not live here: what a plugin does, pictures (``views.plugin_calls``).

Simplified here: one plugin, not a list, and one interface (``eth0``) a pod; the container's id is
the pod's name. Source: CNI specification 1.0.0 §2 and §3.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from k8snetlib.errors import K8sNetError, unknown_name
from k8snetlib.kube.cni.invoke import Answer, invoke
from k8snetlib.kube.cni.spec import Config, netns_path
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network

IFNAME = "eth0"
POD, NODE, FILES = "in the pod", "on the node", "in the plugin's files"


class Change(NamedTuple):
    """One thing that a call made (``sign`` +) or removed (−), and where: ``POD``, ``NODE`` or
    ``FILES``."""

    where: str
    sign: str
    what: str


class Told(NamedTuple):
    """One call: the command, the pod, the plugin's answer, and what it changed."""

    command: str
    pod: str
    answer: Answer
    changes: tuple[Change, ...]

    @property
    def address(self) -> str:
        """The address with its mask that an ADD answered; empty if there is none."""
        found = json.loads(self.answer.stdout) if self.answer.stdout else {}
        ips = found.get("ips") or [found.get("ip4") or {}]
        return str(ips[0].get("address", ips[0].get("ip", "")))

    @property
    def error(self) -> str:
        """What the plugin said when it refused; empty if it did not."""
        return str(json.loads(self.answer.stdout)["msg"]) if self.answer.status else ""


class Runtime:
    """A container runtime on one node, with one CNI configuration.

    Parameters: ``node`` is the node's namespace, ``config`` the configuration of the plugin that
    its ``type`` names. ``log`` holds every call, oldest first.
    """

    def __init__(self, node: Netns, config: Config) -> None:
        if "type" not in config:
            raise K8sNetError("A CNI configuration needs a 'type': the name of its plugin.")
        self.node = node
        self.config = dict(config)
        self.log: tuple[Told, ...] = ()

    @property
    def network(self) -> Network:
        """The network that the node belongs to."""
        if self.node.network is None:
            raise K8sNetError(f"{self.node.name} belongs to no network.")
        return self.node.network

    def environment(self, command: str, pod: str) -> dict[str, str]:
        """The variables that the plugin finds in its environment."""
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": netns_path(pod),
            "CNI_IFNAME": IFNAME,
        }

    def add(self, pod: str) -> Told:
        """Makes the pod's network namespace, if it is not there, and calls ADD. What a refused ADD
        has left in a new namespace is cleaned up, as runtimes do: by DEL."""
        new = pod not in self.network.netns
        if new:
            self.network.add(Netns(pod, "pod"))
        told = self.call("ADD", pod)
        if told.answer.status and new:
            self.delete(pod)
        return told

    def delete(self, pod: str) -> Told:
        """Calls DEL, and then removes the pod's network namespace if it is there."""
        told = self.call("DEL", pod)
        if not told.answer.status:
            self.lose(pod)
        return told

    def lose(self, pod: str) -> None:
        """The pod vanishes, and nobody calls DEL: as after a crash of node or runtime."""
        ns = self.network.netns.get(pod)
        if ns is None:
            return
        if ns.role != "pod":
            raise unknown_name("pod", pod, [n.name for n in _pods(self.network)])
        from k8snetlib.kube.cni.link import remove_link

        if IFNAME in ns.devices:
            remove_link(ns, IFNAME)
        del self.network.netns[pod]
        self.network.forget_names()

    def call(self, command: str, pod: str) -> Told:
        """Calls the plugin once, and notes what came of it."""
        before = list(self._state(pod))
        env, text = self.environment(command, pod), json.dumps(self.config)
        answer = invoke(self.node, str(self.config["type"]), env, text)
        after = list(self._state(pod))
        # As often as they are there: the veths of two pods look alike.
        gone = (Change(where, "−", what) for where, what in Counter(before) - Counter(after))
        new = (Change(where, "+", what) for where, what in Counter(after) - Counter(before))
        told = Told(command, pod, answer, (*gone, *new))
        self.log += (told,)
        return told

    def _state(self, pod: str) -> Iterator[tuple[str, str]]:
        ns = self.network.netns.get(pod)
        for where, one in ((POD, ns), (NODE, self.node)):
            if one is None:
                continue
            for device in one.devices.values():
                yield where, _named(device.kind, device.name, device.master)
                for address in device.addresses:
                    yield where, f"{address.ip}/{address.length} on {_name(device.name)}"
            for route in one.routes:
                yield where, f"route {str(route).partition(' proto ')[0]}"
        for path, text in self.node.files.items():
            if path.startswith("/var/lib/cni/") and not path.endswith("/lock"):
                yield FILES, f"{path.rpartition('/')[2]}: {' '.join(text.split())}"


def _pods(network: Network) -> list[Netns]:
    return [ns for ns in network.netns.values() if ns.role == "pod"]


def _name(device: str) -> str:
    """A device's name; that of a veth pair's host end is drawn by chance, and says nothing."""
    return "a veth" if device.startswith("veth") else device


def _named(kind: str, name: str, master: str | None) -> str:
    return f"{kind} {name}" if master is None else f"{_name(name)}, a port of {master}"
