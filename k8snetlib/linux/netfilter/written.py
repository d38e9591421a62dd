"""What lives here: a chain as somebody wrote it: lines of text, read when the first packet comes.

kube-proxy writes tens of thousands of chains, and a packet sees four of them. The text is kept as
it was handed to ``iptables-restore``; whoever looks at ``rules`` has it read. Chains of the same
name and text are one and the same object, on however many nodes they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

from k8snetlib.linux.netfilter.chain import Chain
from k8snetlib.linux.netfilter.rule import Jump
from k8snetlib.linux.netfilter.syntax import parse_rule

read_spec = lru_cache(1 << 16)(parse_rule)


class WrittenChain(Chain):
    """A user chain given as rules' text, each without ``-A CHAIN``; see ``written``."""

    __slots__ = ("__weakref__", "specs")

    def __init__(self, name: str, specs: Iterable[str]) -> None:
        super().__init__(name)
        self.specs = tuple(specs)
        del self.rules

    def __getattr__(self, name: str) -> Any:
        if name != "rules":
            raise AttributeError(name)
        self.rules = tuple(map(read_spec, self.specs))
        return self.rules


_shared: WeakValueDictionary[tuple[str, tuple[str, ...]], WrittenChain] = WeakValueDictionary()


def written(name: str, specs: Iterable[str]) -> WrittenChain:
    """The chain of this name and text.

    >>> written("KUBE-MARK-MASQ", ["-j MARK --or-mark 0x4000"]).rules[0].target.value
    16384
    """
    key = (name, tuple(specs))
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = WrittenChain(*key)
    return found


def jumped_to(spec: str) -> str:
    """The chain (or target) that a rule's text ends with, "" if it has none.

    >>> jumped_to("-s 10.1.20.3 -j KUBE-MARK-MASQ"), jumped_to("-m comment --comment hello")
    ('KUBE-MARK-MASQ', '')
    """
    _, found, rest = spec.rpartition(" -j ")
    if not found:
        rest = spec[3:] if spec.startswith("-j ") else ""
    return rest.partition(" ")[0]


def targets(chain: Chain) -> set[str]:
    """The names of the chains that a chain jumps to."""
    if isinstance(chain, WrittenChain):
        return {jumped_to(spec) for spec in chain.specs}
    return {rule.target.chain for rule in chain.rules if isinstance(rule.target, Jump)}
