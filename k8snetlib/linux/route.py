"""What lives here: the routing table, and the rule by which the kernel reads it.

The longest prefix that contains the destination wins; among routes to the same prefix, the lowest
metric (ip-route(8)). Nothing else decides: there is no hook in a bridge, and no order of lines.

Simplified here: one table (``main``) and the set of local addresses; no policy rules, no
multipath, no MTU of a route's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from k8snetlib.address import Prefix, mask, number


class Route(NamedTuple):
    """One line of ``ip route``. ``via`` is the next hop (None: the destination itself is a
    neighbour on ``dev``); ``src`` is the address that a local sender prefers."""

    prefix: Prefix
    dev: str
    via: str | None = None
    src: str | None = None
    proto: str = ""
    scope: str = "global"
    metric: int = 0
    onlink: bool = False

    def __str__(self) -> str:
        words = ["default" if self.prefix.length == 0 else _short(self.prefix)]
        if self.via:
            words += ["via", self.via]
        words += ["dev", self.dev]
        if self.proto:
            words += ["proto", self.proto]
        if self.scope != "global":
            words += ["scope", self.scope]
        if self.src:
            words += ["src", self.src]
        if self.metric:
            words += ["metric", str(self.metric)]
        if self.onlink:
            words.append("onlink")
        return " ".join(words)


def _short(prefix: Prefix) -> str:
    return prefix.network if prefix.length == 32 else str(prefix)


class RouteTable:
    """The routes of one network namespace, indexed by prefix length.

    A lookup tries the longest length first, so its cost depends on the number of different
    lengths, not on the number of routes; answers are remembered until a route changes.
    ``watcher`` is called when a route came or went.
    """

    __slots__ = ("_by_length", "_lengths", "_memo", "watcher")

    def __init__(self) -> None:
        self.watcher: Callable[[], None] | None = None
        self._by_length: dict[int, dict[int, tuple[Route, ...]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._memo: dict[str, Route | None] = {}

    def __iter__(self) -> Iterator[Route]:
        """Routes as ``ip route`` lists them: by destination address, then prefix length."""
        flat = [r for same in self._by_length.values() for rs in same.values() for r in rs]
        return iter(sorted(flat, key=lambda r: (r.prefix.net, r.prefix.length, r.metric)))

    def __len__(self) -> int:
        return sum(len(rs) for same in self._by_length.values() for rs in same.values())

    def add(self, route: Route) -> bool:
        """Adds a route; False if one to the same prefix with the same metric is there already."""
        same = self._by_length.setdefault(route.prefix.length, {})
        rivals = same.get(route.prefix.net, ())
        if rivals:
            if any(r.metric == route.metric for r in rivals):
                return False
            same[route.prefix.net] = tuple(sorted((*rivals, route), key=lambda r: r.metric))
        else:
            same[route.prefix.net] = (route,)
        self._changed()
        return True

    def replace(self, route: Route) -> None:
        """Adds a route in place of one to the same prefix with the same metric."""
        for rival in self.exact(route.prefix):
            if rival == route:
                return
            if rival.metric == route.metric:
                self.remove(rival)
        self.add(route)

    def remove(self, route: Route) -> bool:
        """Removes exactly this route; False if it is not there."""
        same = self._by_length.get(route.prefix.length, {})
        rivals = same.get(route.prefix.net, ())
        if route not in rivals:
            return False
        left = tuple(r for r in rivals if r != route)
        if left:
            same[route.prefix.net] = left
        else:
            del same[route.prefix.net]
        if not same:
            del self._by_length[route.prefix.length]
        self._changed()
        return True

    def exact(self, prefix: Prefix) -> tuple[Route, ...]:
        """The routes to exactly this prefix, lowest metric first."""
        return self._by_length.get(prefix.length, {}).get(prefix.net, ())

    def lookup(self, dst: str) -> Route | None:
        """The route to an address: longest prefix, then lowest metric; None if none matches."""
        memo = self._memo
        if dst in memo:
            return memo[dst]
        value = number(dst)
        found: Route | None = None
        for length in self._lengths:
            rivals = self._by_length[length].get(value & mask(length))
            if rivals:
                found = rivals[0]
                break
        if len(memo) > 10_000:
            memo.clear()
        memo[dst] = found
        return found

    def matching(self, dst: str) -> tuple[Route, ...]:
        """Every route that contains an address, best first: the winner and those it beat."""
        value = number(dst)
        found: list[Route] = []
        for length in self._lengths:
            found += self._by_length[length].get(value & mask(length), ())
        return tuple(found)

    def clone(self) -> RouteTable:
        """An independent copy; the routes themselves are shared."""
        other = RouteTable()
        other._by_length = {length: dict(same) for length, same in self._by_length.items()}
        other._lengths = self._lengths
        return other

    def _changed(self) -> None:
        if len(self._lengths) != len(self._by_length):
            self._lengths = tuple(sorted(self._by_length, reverse=True))
        self._memo.clear()
        if self.watcher is not None:
            self.watcher()
