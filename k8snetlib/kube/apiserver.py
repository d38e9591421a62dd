"""What lives here: the API server, as an agent of the network: objects, their history, who watches.

Objects are the immutable values of ``api`` (Node, Pod, Service, EndpointSlice, …), kept by kind and
(namespace, name); a Node has no namespace, so its namespace is the empty word. Every change gets a
revision and stays in a log, so that a watcher that was cut off catches up when it is back.

Daemons watch by being agents: whoever is ``watched_by`` here is asked again when something has
changed, and compares ``revision`` and ``reachable`` with what it saw last.

    api = api_server(network)
    api.put(Node("node1", "192.168.66.11", Prefix.parse("10.1.15.0/24")))
    api.get(Node, "", "node1")

What may not live here: what a change brings about (see ``controllers``, ``proxy``), and words
(see ``kubectl``).

Simplified here: the way to the API server is open or cut; no packets are sent on it. No
authentication, no admission but the types' own. A change is seen at once by who watches. History is
never forgotten. Source: kubernetes.io, API concepts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from k8snetlib.address import Prefix
from k8snetlib.errors import unknown_name
from k8snetlib.kube.api import Pod

if TYPE_CHECKING:
    from k8snetlib.linux.network import Network

Value = TypeVar("Value")
#: Where an object stands among those of its kind: its namespace and its name.
Key = tuple[str, str]

#: What can happen to an object, in the words of a watch.
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


#: Where Services get their addresses if nobody says.
SERVICE_RANGE = Prefix.parse("10.96.0.0/16")


class Change(NamedTuple):
    """One line of the history: what happened, to which object, what it was before; the model's
    time in seconds. Of a deleted object ``value`` is what it was."""

    verb: str
    value: Any
    before: Any | None
    time: float


class Stored(NamedTuple):
    """An object as it is kept: since when (seconds), and at which revision it last changed."""

    value: Any
    created: float
    revision: int


def key_of(value: Any) -> Key:
    """Namespace and name of an object. The workloads are of several kinds, and two kinds may have
    the same name: theirs is ``Deployment/web``."""
    kind = getattr(value, "kind", "")
    return getattr(value, "namespace", ""), f"{kind}/{value.name}" if kind else value.name


class ApiServer:
    """All of the API server, as one agent of the network. From ``service_range`` it gives Services
    their addresses (``--service-cluster-ip-range``)."""

    name = "apiserver"

    def __init__(self, network: Network, service_range: Prefix = SERVICE_RANGE) -> None:
        self.network = network
        self.service_range = service_range
        self.log: list[Change] = []
        self.watchers: dict[str, str] = {}
        self.cuts: set[str] = set()
        self.running = True
        #: When a pod that is being deleted has had its time (the model's clock).
        self.deadlines: dict[Key, float] = {}
        self._objects: dict[type[Any], dict[Key, Stored]] = {}
        self._sorted: dict[type[Any], list[tuple[str, Any]]] = {}  # made when asked for

    @property
    def revision(self) -> int:
        """How many changes there have been."""
        return len(self.log)

    # -- objects --------------------------------------------------------------------------------

    def put(self, value: Any) -> None:
        """Creates an object or replaces the one of its name; one that is the same is no change."""
        objects, key = self._objects.setdefault(type(value), {}), key_of(value)
        before = objects.get(key)
        if before is not None and before.value == value:
            return
        now = self.network.now
        created = now if before is None else before.created
        objects[key] = Stored(value, created, self.revision + 1)
        old = None if before is None else before.value
        self._changed(Change(ADDED if before is None else MODIFIED, value, old, now))

    def delete(self, kind: type[Any], namespace: str, name: str) -> None:
        """Deletes an object; raises ``UnknownName``."""
        stored = self.stored(kind, namespace, name)
        del self._objects[kind][namespace, name]
        if kind is Pod:
            self.deadlines.pop((namespace, name), None)
        self._changed(Change(DELETED, stored.value, stored.value, self.network.now))

    def terminate(self, pod: Pod, grace: float = 0.0) -> None:
        """A pod is being deleted: its kubelet ends it after ``grace`` seconds. One that is on no
        node yet is gone at once."""
        key = key_of(pod)
        if not pod.node:
            self.delete(Pod, *key)
            return
        self.deadlines[key] = min(self.deadlines.get(key, inf), self.network.now + grace)
        self.put(pod._replace(terminating=True))

    def find(self, kind: type[Value], namespace: str, name: str) -> Value | None:
        """The object of that kind and name, if there is one."""
        stored = self._objects.get(kind, {}).get((namespace, name))
        return None if stored is None else cast(Value, stored.value)

    def get(self, kind: type[Value], namespace: str, name: str) -> Value:
        """The object of that kind and name; raises ``UnknownName`` with the nearest names."""
        return cast(Value, self.stored(kind, namespace, name).value)

    def stored(self, kind: type[Any], namespace: str, name: str) -> Stored:
        """As ``get``, with its age and revision."""
        objects = self._objects.get(kind, {})
        if (namespace, name) not in objects:
            raise unknown_name(kind.__name__, name, [n for ns, n in objects if ns == namespace])
        return objects[namespace, name]

    def list(self, kind: type[Value], namespace: str | None = None) -> list[Value]:
        """All objects of a kind (of one namespace), in the order of their namespaces and names."""
        if kind not in self._sorted:
            objects = self._objects.get(kind, {})
            self._sorted[kind] = [(key[0], objects[key].value) for key in sorted(objects)]
        return [value for space, value in self._sorted[kind] if namespace in (None, space)]

    def since(self, revision: int, kind: type[Any] | None = None) -> Iterator[Change]:
        """What has happened after a revision, perhaps only to objects of one kind."""
        for change in self.log[revision:]:
            if kind is None or type(change.value) is kind:
                yield change

    # -- those who watch ------------------------------------------------------------------------

    def watched_by(self, agent: str, host: str) -> None:
        """An agent on a machine wants to look whenever something has changed."""
        self.watchers[agent] = host

    def forget(self, agent: str) -> None:
        """An agent looks no more."""
        self.watchers.pop(agent, None)

    def reachable(self, host: str) -> bool:
        """True if a machine reaches the API server."""
        return self.running and host not in self.cuts

    def cut(self, host: str) -> None:
        """The way from a machine is cut."""
        self.cuts.add(host)
        self.look()

    def reconnect(self, host: str) -> None:
        """The way from a machine is open again."""
        self.cuts.discard(host)
        self.look()

    def stop(self) -> None:
        """The API server is down: nobody reaches it."""
        self.running = False
        self.look()

    def start(self) -> None:
        """It is back, with all its objects."""
        self.running = True
        self.look()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, several changes are made before anybody looks."""
        with self.network.agents.hold():
            yield
        self._settle()

    def _changed(self, change: Change) -> None:
        self._sorted.pop(type(change.value), None)
        self.log.append(change)
        self.look()

    def look(self) -> None:
        """Those who watch look."""
        for agent in self.watchers:
            self.network.agents.look(agent)
        self._settle()

    def _settle(self) -> None:
        if not self.network.agents.busy:
            self.network.settle()

    # -- an agent -------------------------------------------------------------------------------

    def due(self) -> float:
        """It does nothing by itself."""
        return inf

    def act(self) -> None:
        """Nothing to do."""

    def clone(self, network: Network) -> ApiServer:
        """The same objects in a copy of the network; who watches is taken along."""
        other = ApiServer(network, self.service_range)
        other._objects = {kind: dict(objects) for kind, objects in self._objects.items()}
        other.log = list(self.log)
        other.watchers, other.cuts = dict(self.watchers), set(self.cuts)
        other.deadlines = dict(self.deadlines)
        other.running = self.running
        return other


def api_server(network: Network) -> ApiServer:
    """The API server of a network; raises ``UnknownName`` if there is none."""
    if ApiServer.name not in network.agents:
        names = [agent.name for agent in network.agents]
        raise unknown_name("agent", ApiServer.name, names)
    return cast(ApiServer, network.agents[ApiServer.name])
