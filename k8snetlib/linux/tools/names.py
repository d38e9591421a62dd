"""What lives here: how the tools that take a name (``ping``, ``curl``, ``traceroute``) look it up.

Where there is an ``/etc/resolv.conf`` (in a pod), names are resolved as in ``linux.resolver``, by
packets. Elsewhere nobody resolves names.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand
from k8snetlib.linux.resolver import CONF, HOSTS, UNKNOWN, Resolved, resolve

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns


def look_up(ns: Netns, text: str, says: str, patience: float = inf) -> Resolved:
    """The address of a name, waiting at most ``patience`` seconds for it; an address is its own.

    Where nobody resolves names, one that means somebody in this cluster is refused with that one's
    address: ``BadCommand`` with the tool's complaint ``says``, where ``{}`` stands for the name.
    """
    if is_ip(text) or CONF in ns.files or text in ns.files.get(HOSTS, "localhost").split():
        return resolve(ns, text, patience)
    ips = ns.network.names.ips if ns.network else {}
    owned = [ip for ip, owner in ips.items() if owner == text]
    if owned:
        message, hint = says.format(text), f"This prompt resolves no names: {text} is {owned[0]}."
        raise BadCommand(message, hint)
    return Resolved("", UNKNOWN)
