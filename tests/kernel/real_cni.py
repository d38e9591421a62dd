"""The CNI plugins of Debian's containernetworking-plugins, in namespaces of our own; and the same
call to the model's plugins, so that both leave something to compare.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from k8snetlib.kube.cni.invoke import invoke
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.tools import run as prompt
from tests.conftest import missing, require_tool

FOLDER = Path("/usr/lib/cni")
PATH = "/var/run/netns/"


def require_plugin(name: str) -> Path:
    """The path of a real plugin, or no test."""
    if not (FOLDER / name).exists():
        missing(f"{name} is not installed: apt-get install containernetworking-plugins")
    return FOLDER / name


class Pair:
    """A node and two containers, in the kernel and in the model; each call goes to both."""

    CONTAINERS = ("a", "b")

    def __init__(self, folder: Path) -> None:
        self.ip = require_tool("ip")
        self.folder = str(folder)
        self.prefix = f"k8c{os.getpid()}-"
        self.network = Network(7)
        for name, role in (("node", "node"), ("a", "pod"), ("b", "pod")):
            self.network.add(Netns(self.prefix + name, role))
        self.node = self.network[self.prefix + "node"]
        for container in self.CONTAINERS:
            self.network[self.prefix + container].update_device("lo", up=False)

    def build(self) -> None:
        for name in self.network.netns:
            subprocess.run([self.ip, "netns", "add", name], check=True)
            self.real(name, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
                            "net.ipv6.conf.default.disable_ipv6=1; ip link set lo up")  # fmt: skip
        for container in self.CONTAINERS:
            self.real(self.prefix + container, "ip link set lo down")

    def close(self) -> None:
        for name in self.network.netns:
            subprocess.run([self.ip, "netns", "del", name], capture_output=True, check=False)

    def real(
        self, ns: str, command: str, stdin: str = "", **env: str
    ) -> subprocess.CompletedProcess:
        """A command in a real namespace."""
        return subprocess.run(
            [self.ip, "netns", "exec", ns, "sh", "-c", command], input=stdin, text=True,
            capture_output=True, timeout=30, check=False, env={**os.environ, **env},
        )  # fmt: skip

    def call(self, plugin: str, command: str, config: object, container: str = "a", **more: str):
        """Calls both plugins with one configuration (see ``call_each``)."""
        return self.call_each(plugin, command, [config, config], container, **more)

    def call_each(
        self, plugin: str, command: str, configs: list, container: str = "a", **more: str
    ):
        """Calls ours with the first configuration, the real one with the second (a result that is
        handed on differs); returns our answer and status, and theirs."""
        env = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": f"id-{container}",
            "CNI_NETNS": f"{PATH}{self.prefix}{container}",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(FOLDER),
            **more,
        }
        mine, its = (c if isinstance(c, str) else json.dumps(c) for c in configs)
        real = self.real(self.node.name, str(require_plugin(plugin)), its, **env)
        ours = invoke(self.node, plugin, env, mine)
        return _document(ours.stdout), ours.status, _document(real.stdout), real.returncode

    # -- what they leave behind -----------------------------------------------------------------

    def files(self) -> tuple[dict[str, str], dict[str, str]]:
        """The IPAM plugin's files: ours, theirs."""
        theirs = {
            str(path): path.read_bytes().decode()
            for path in Path(self.folder).rglob("*") if path.is_file()
        }  # fmt: skip
        return dict(self.node.files), theirs

    def printed(self, name: str, command: str) -> tuple[list[str], list[str]]:
        """A command's output in a namespace: ours, theirs, with random names made equal."""
        ours = prompt(self.network[self.prefix + name], command)
        theirs = self.real(self.prefix + name, command).stdout
        return _plain(ours), _plain(theirs)


def _document(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


_BRIDGE = re.compile(r"\d+: (?:cni0|br7|l2|other): ")
_MAC = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")


def _plain(text: str) -> list[str]:
    """Without what the kernel or the plugin draws at random, and without dates."""
    lines = []
    for line in text.splitlines():
        if line.startswith("#") or "valid_lft" in line or line.endswith("self permanent"):
            continue
        line = re.sub(r"\bveth[0-9a-f]{8}\b", "vethRANDOM", line)
        line = re.sub(r" qlen \d+| brd [\d.]+| linkdown", "", line).replace(
            "qdisc noop ", "qdisc noqueue "
        )  # settings of the real devices
        if _BRIDGE.match(line):
            # Whether a bridge without ports has a carrier depends on whether it ever had one, and
            # the kernel takes its time to notice; the model's bridge always has.
            line = re.sub(r"<[^>]*>| state \w+", "", line)
        # The kernel never gives an index twice.
        line = re.sub(r"@if\d+", "@ifN", re.sub(r"^\d+: ", "N: ", line))
        line = _MAC.sub(lambda m: m[0] if set(m[0]) <= set("0f:") else "MAC", line)
        lines.append(re.sub(r"\[\d+:\d+\]", "[0:0]", line).rstrip())
    return lines


def anonymous(document: object, known: dict[str, str] | None = None) -> object:
    """A result with its random names and MAC addresses numbered in the order in which they come."""
    found = {} if known is None else known
    if isinstance(document, dict):
        return {key: anonymous(value, found) for key, value in document.items()}
    if isinstance(document, list):
        return [anonymous(value, found) for value in document]
    if isinstance(document, str) and (
        (_MAC.fullmatch(document) and document != "00:00:00:00:00:00")
        or re.fullmatch(r"veth[0-9a-f]{8}", document)
    ):
        return found.setdefault(document, f"random {len(found) + 1}")
    return document
