"""What lives here: a real etcd for a lesson, where this machine has one; else the model's.

``RealEtcd()`` starts a server (see ``etcd.server``) with a data folder of its own; ``api`` is the
connection, ``stop()`` ends the server and removes the folder; a notebook that ends without it stops
the server as well. Both stores do the same, so a lesson's outputs do not depend on which of them
served: ``note`` alone says so, and not where outputs are compared.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from k8snetlib.etcd.store import Store

if TYPE_CHECKING:
    from k8snetlib.etcd.api import Etcd

#: As in ``nbval_plugin``: set where outputs are compared.
_UNDER_NBVAL = "K8SNET_NBVAL"
_FOLDERS = (os.defpath, "/usr/local/bin", "/usr/local/sbin", "/usr/sbin")


class RealEtcd:
    """A real etcd server if there can be one; ``missing`` says what is not installed ("" if all
    is). Raises ``K8sNetError`` if the server is there and does not come up."""

    def __init__(self) -> None:
        self._end = ExitStack()
        self.missing = _missing()
        self.api: Etcd = Store().client() if self.missing else self._start()
        atexit.register(self.stop)

    def _start(self) -> Etcd:
        from k8snetlib.etcd.server import Gateway, running

        folder = self._end.enter_context(tempfile.TemporaryDirectory(prefix="k8snet-etcd-"))
        address = self._end.enter_context(running(Path(folder), _program()))
        host, _, port = address.partition(":")
        return Gateway(host, int(port))

    @property
    def note(self) -> str:
        """One sentence where no real etcd serves; "" where one does, or outputs are compared."""
        if not self.missing or os.environ.get(_UNDER_NBVAL):
            return ""
        return f"{self.missing} is not installed here, so the model's own store stands in for etcd."

    def stop(self) -> None:
        """Ends the server and removes its folder; a second time nothing happens."""
        atexit.unregister(self.stop)
        self._end.close()


def _program() -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
    return shutil.which("etcd", path=path) or ""


def _missing() -> str:
    from importlib.util import find_spec

    if not _program():
        return "The program etcd (Debian: etcd-server)"
    return "" if find_spec("etcd3gw") else "The Python library etcd3gw (pip install etcd3gw)"
