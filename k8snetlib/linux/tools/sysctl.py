"""What lives here: ``sysctl``: the switches of one namespace's network.

Simplified here: only the settings that the model obeys exist (``sysctl -a`` lists them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

_OPTIONS = {
    "-a": "all", "--all": "all", "-A": "all",
    "-n": "values", "--values": "values",
    "-N": "names", "--names": "names",
    "-w": "write", "--write": "write",
    "-q": "quiet", "--quiet": "quiet",
    "-e": "ignore", "--ignore": "ignore",
}  # fmt: skip

#: The values that the kernel takes, where it does not take every number.
_RANGE = {
    "net.ipv4.ip_default_ttl": (1, 255),
    "net.ipv4.icmp_echo_ignore_all": (0, 1),
    "net.netfilter.nf_conntrack_max": (0, 2**31 - 1),
}
#: What a machine's conntrack says of itself; only the first can be set, and not by a pod.
MAX, COUNT = "net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_count"


def run(ns: Netns, words: list[str]) -> str:
    """``sysctl KEY …``, ``sysctl -w KEY=VALUE …``, ``sysctl -a``; options -n, -N, -q, -e."""
    chosen: set[str] = set()
    keys = []
    for word in words:
        if word.startswith("--") or word in _OPTIONS:
            letters = [word]
        else:
            letters = [f"-{letter}" for letter in word[1:]] if word.startswith("-") else []
        for option in letters:
            if option not in _OPTIONS:
                raise BadCommand(f"sysctl: invalid option -- '{option.lstrip('-')}'",
                                 "Here: -a, -n, -N, -w, -q, -e.")  # fmt: skip
            chosen.add(_OPTIONS[option])
        keys += [] if letters else [word]
    if "all" in chosen:
        keys = sorted(_settings(ns))
    if not keys:
        raise BadCommand("sysctl: no variables specified", "sysctl net.ipv4.ip_forward")
    return "\n".join(filter(None, (_one(ns, key, chosen) for key in keys)))


def _one(ns: Netns, word: str, chosen: set[str]) -> str:
    key, assign, value = word.partition("=")
    name = key.strip().replace("/", ".")
    if "write" in chosen and not assign:
        raise BadCommand(
            f"sysctl: '{word}' gives no value.", f"sysctl -w {word}=1, without blanks."
        )
    if name not in _settings(ns):
        if "ignore" in chosen:
            return ""
        raise _unknown(ns, name)
    if assign:
        _write(ns, name, value.strip())
        if "quiet" in chosen:
            return ""
    now = str(_settings(ns)[name])
    if "names" in chosen:
        return name
    return now if "values" in chosen else f"{name} = {now}"


def _settings(ns: Netns) -> dict[str, int]:
    table, now = ns.conntrack, ns.network.now if ns.network else 0.0
    return {**ns.sysctls, MAX: table.limit, COUNT: len(table.connections(now))}


def _write(ns: Netns, name: str, text: str) -> None:
    if name == COUNT or (name == MAX and ns.role == "pod"):
        raise BadCommand(f'sysctl: permission denied on key "{name}"', "It can be read only.")
    number = text.removeprefix("-")
    if not (number.isascii() and number.isdigit()):
        raise BadCommand(f'sysctl: setting key "{name}": Invalid argument', "Give a whole number.")
    low, high = _RANGE.get(name, (-(2**31), 2**31 - 1))
    if not low <= int(text) <= high:
        message = f'sysctl: setting key "{name}": Invalid argument'
        raise BadCommand(message, f"Allowed: {low} to {high}.")
    if name == MAX:
        ns.conntrack.limit = int(text)
    else:
        ns.sysctls[name] = int(text)


def _unknown(ns: Netns, name: str) -> BadCommand:
    near = nearest(name, _settings(ns))
    meant = f"Did you mean {near[0]}?" if near else "sysctl -a lists those that are."
    return BadCommand(f"sysctl: '{name}' is not a setting that is modelled here.", meant)
