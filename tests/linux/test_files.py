"""``cat``, ``ls`` and ``rm``: a table against the files of a namespace, and against the real tools."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Netns
from tests.conftest import require_tool

FILES = {
    "/run/flannel/subnet.env": "FLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n",
    "/var/lib/cni/networks/n/10.1.15.2": "id\r\neth0",
    "/var/lib/cni/networks/n/10.1.15.10": "id2\r\neth0",
    "/var/lib/cni/networks/n/lock": "",
    "/var/lib/cni/.hidden": "x\n",
    "/B": "",
    "/a b": "blank\n",
}
COMMANDS = [
    "cat /run/flannel/subnet.env",
    "cat /var/lib/cni/networks/n/10.1.15.2",
    "cat /run/flannel/subnet.env /var/lib/cni/.hidden",
    "cat /run/flannel/../flannel//subnet.env",
    "cat '/a b'",
    "cat /var/lib/cni/networks/n/lock",
    "cat /nonexistent",
    "cat /run/flannel",
    "cat /run/flannel/",
    "ls /",
    "ls",
    "ls /var/lib/cni/networks/n",
    "ls -1 /var/lib/cni/networks/n/",
    "ls /var/lib/cni",
    "ls -a /var/lib/cni",
    "ls -A /var/lib/cni",
    "ls -1A /var/lib/cni",
    "ls /run /var/lib",
    "ls /var/lib /B /run/flannel '/a b'",
    "ls /run/flannel/subnet.env",
    "ls /run/flannel/subnet.env/",
    "ls /nonexistent",
    "rm /run/flannel/subnet.env",
    "rm /nonexistent",
    "rm -f /nonexistent",
    "rm /run/flannel",
    "rm /B /nonexistent '/a b' /run",
]


@pytest.fixture
def ns():
    made = Netns("node1", "node")
    made.files.update(FILES)
    return made


@pytest.fixture
def root(tmp_path):
    """The same files below a folder that is the root for a real shell."""
    for path, text in FILES.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return tmp_path


def said(ns, command):
    """What our prompt prints or refuses with."""
    try:
        return ns.sh(command)
    except BadCommand as error:
        return error.message


def really(root, command):
    """What the real tool prints with the folder as its root."""
    words = [f"{root}{word}" if word.startswith("/") else word for word in shlex.split(command)]
    ran = subprocess.run(
        words, cwd=root, capture_output=True, check=False, timeout=10,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    text = (ran.stdout + ran.stderr).decode().replace(f"{root}", "")
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_as_the_real_ones(ns, root, command):
    require_tool(command.split()[0])
    assert said(ns, command) == really(root, command)
    left = {f"/{file.relative_to(root)}" for file in root.rglob("*") if file.is_file()}
    assert set(ns.files) == left


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        ("cat", "cat: there is nothing to read here.", "cat FILE"),
        ("cat -n /B", "cat: '-n' is not modelled.", "names of files"),
        ("ls -l /", "ls: '-l' is not modelled.", "Here: -1, -a, -A."),
        ("cat /run/flannel/subnet.en", "No such file", "Did you mean /run/flannel/subnet.env?"),
        ("cat /run/flannel", "Is a directory", "ls /run/flannel"),
        ("rm", "rm: missing operand", "rm FILE"),
        ("rm -r /run", "rm: '-r' is not modelled.", "Here: -f."),
        ("rm /run/flannel/subnet.en", "cannot remove", "Did you mean /run/flannel/subnet.env?"),
        ("cat /var/lib/cni/networks/*", "No such file", "no patterns"),
    ],
)
def test_refusals(ns, command, message, hint):
    with pytest.raises(BadCommand) as caught:
        ns.sh(command)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_namespace_without_files():
    ns = Netns("web1", "pod")
    assert ns.sh("ls /") == ""
    with pytest.raises(BadCommand, match="No such file") as caught:
        ns.sh("cat /x")
    assert caught.value.hint == "web1 has no files here."
