"""What all tests share: the two reasons for a skip, which files run first, a setting of hypothesis.

    from tests.conftest import require_root, require_tool

A test may be skipped because a Debian package or root is missing on this machine, for no other
reason. Where everything is meant to be there (``.ci/run`` sets ``K8SNET_CI=1``) even that fails.
"""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

try:
    from hypothesis import settings
except ImportError:  # the browser environment has no use for it
    pass
else:
    # Two cores shared with others: a deadline would measure the neighbours.
    settings.register_profile(
        "k8snet", deadline=None, derandomize=bool(os.environ.get("K8SNET_CI"))
    )
    settings.load_profile("k8snet")

#: The Debian package of a command, where it is not called the same.
PACKAGES = {
    "bwrap": "bubblewrap",
    "ip": "iproute2",
    "bridge": "iproute2",
    "ss": "iproute2",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
    "nft": "nftables",
    "dot": "graphviz",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
}
#: Files of half a minute or more. A worker that met one last would keep `make unit` waiting alone.
LONG_FILES = (
    "grade/test_hacks.py",
    "exercises/test_nbval.py",
    "exercises/test_matrix.py",
    "grade/test_run.py",
)
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def in_ci() -> bool:
    """True where every package and root are meant to be there."""
    return os.environ.get("K8SNET_CI", "") not in ("", "0")


def missing(reason: str) -> NoReturn:
    """Skips the running test with a reason; in CI fails it."""
    if in_ci():
        pytest.fail(f"{reason} (K8SNET_CI is set, so this is a failure)", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def require_tool(name: str) -> str:
    """The full path of a command, or no test: ``require_tool("tshark")``."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])
    found = shutil.which(name, path=search)
    if found:
        return found
    missing(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")


def require_root() -> None:
    """Goes on only as root (network namespaces need it)."""
    if os.geteuid() != 0:
        missing("needs root")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long files first; all others keep their order."""
    here = Path(__file__).parent
    place = {here / name: at for at, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: nobody needs to look for garbage in it."""
    gc.collect()
    gc.freeze()
