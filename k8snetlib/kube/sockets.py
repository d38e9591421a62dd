"""What lives here: sockets as text, where manifests have no field for them.

``10.1.15.2:9000/tcp`` is a socket. The pod annotation ``k8snetlib/listen`` lists what a container
really listens on, ``CONTAINER=SOCKET``, separated by commas; for a container that it names, the
declared ports do not count. ``CONTAINER=`` alone says that it listens on nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from k8snetlib.address import parse_ip
from k8snetlib.errors import K8sNetError
from k8snetlib.kube.api import Container, Listen
from k8snetlib.kube.fields import Fields

#: The annotation of a pod.
LISTEN = "k8snetlib/listen"
_HINT = "A socket looks like 127.0.0.1:9000/tcp."


def parse_socket(text: str) -> Listen:
    """``0.0.0.0:80/tcp`` as a ``Listen``; raises ``K8sNetError``."""
    address, slash, proto = text.strip().partition("/")
    ip, colon, port = address.rpartition(":")
    if not (slash and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise K8sNetError(f"'{text}' is not a socket.", _HINT)
    if proto not in ("tcp", "udp"):
        raise K8sNetError(f"'{text}' is not a socket: '{proto}' is no protocol here.", _HINT)
    return Listen(proto, int(port), parse_ip(ip))


def listens(annotations: Fields) -> dict[str, tuple[Listen, ...]]:
    """What the annotation says, by container; empty without one. Raises ``BadManifest``."""
    found: dict[str, tuple[Listen, ...]] = {}
    for entry in annotations.text(LISTEN, "").split(","):
        if not entry.strip():
            continue
        container, equals, socket = entry.strip().partition("=")
        if not equals:
            raise annotations.error(
                LISTEN, f"is wrong: '{entry}'.", "Write CONTAINER=IP:PORT/PROTO."
            )
        try:
            more = (parse_socket(socket),) if socket else ()
        except K8sNetError as error:
            raise annotations.error(LISTEN, f"is wrong: {error.message}", _HINT) from None
        found[container] = found.get(container, ()) + more
    return found


def annotation(containers: Iterable[Container]) -> str:
    """The annotation for containers whose sockets ``containerPort`` cannot express."""
    return ", ".join(
        f"{container.name}={socket}"
        for container in containers
        for socket in container.listens or ("",)
    )
