"""What lives here: a repair, tried: a script is typed in a broken cluster, and then looked at.

What only looks (``ping``, ``ip route``, ``kubectl get``) is counted and not typed again. A command
that the tool refuses changes nothing and is reported. After the repair flanneld and kube-proxy are
restarted on every node, and a day passes: what was only patched up falls apart then.

What may not live here: findings (see ``verdict``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.errors import BadCommand, K8sNetError
from k8snetlib.linux.service import Service
from k8snetlib.views.console import read_script

#: How many commands that change something a repair may have, and how long one may be.
MOST_COMMANDS, LONGEST_COMMAND = 120, 8000
#: How long a repair must last, after the restart of the daemons.
A_MINUTE, A_DAY = "1m", "26h"

#: Commands that only look, by their first words.
_LOOKS = {
    "cat", "curl", "dig", "hostname", "iptables-save", "journalctl", "ls", "nslookup", "ping", "ss",
    "tcpdump", "traceroute",
}  # fmt: skip
_SHOWS = re.compile(
    r"kubectl( +-\S+( +[^-\s]\S*)?)* +(get|describe|logs)\b"
    r"|kubectl .*exec .*-- +(cat|curl|dig|hostname|ls|nslookup|ping|ss|traceroute)\b"
    r"|ip( +-\S+)* +(a|addr|address|l|link|r|route|n|neigh|neighbour)"
    r"( *$| +(s|sh|show|list|ls|get|g)\b.*)"
    r"|bridge( +-\S+)* +(fdb|link)( *$| +show\b.*)"
    r"|iptables( +-t +\w+)? +-[SL]\b"
    r"|(etcdctl +(get|endpoint|lease +list|member)|nft +list|conntrack +-[LC]|ipvsadm +-[lL])\b"
    r"|ipset +(list|save)\b|systemctl +(status|is-active)\b"
)


def only_looks(command: str) -> bool:
    """True for a command that changes nothing (all its parts, if it has several).

    >>> only_looks("ip route"), only_looks("ip route; ip route del default")
    (True, False)
    """
    if "<<" in command:
        return False
    parts = [part.strip() for part in re.split(r";|&&|\n", command)]
    return all(_looks(part) for part in parts if part)


def _looks(command: str) -> bool:
    command = command.removeprefix("sudo ")
    if command.startswith("sysctl"):
        return "=" not in command
    return command.split()[0] in _LOOKS or _SHOWS.match(command) is not None


class Refused(NamedTuple):
    """A command of the script that its tool would not do, and what it said."""

    machine: str
    command: str
    said: str


class Repair(NamedTuple):
    """A script, tried. ``commands`` are those that change something; ``looked`` counts the others.
    ``after`` is the cluster then."""

    commands: tuple[tuple[str, str], ...]
    looked: int
    refused: tuple[Refused, ...]
    after: Cluster


def tried(broken: Cluster, script: str) -> Repair:
    """Types a script in a copy of ``broken``. Raises ``BadCommand`` for a text that is no script,
    or one that is too long."""
    steps = [(m, c) for m, c in read_script(script) if c.strip()]
    commands = tuple((m, c) for m, c in steps if not only_looks(c))
    if len(commands) > MOST_COMMANDS:
        raise BadCommand(
            f"The script changes something {len(commands)} times.",
            f"At most {MOST_COMMANDS} commands: keep those that you need.",
        )
    cluster, refused = typed(broken, commands)
    return Repair(commands, len(steps) - len(commands), refused, cluster)


def typed(
    broken: Cluster, commands: tuple[tuple[str, str], ...]
) -> tuple[Cluster, tuple[Refused, ...]]:
    """A copy of the cluster after these commands, and those that their tools would not do."""
    cluster = broken.clone()
    return cluster, tuple(_typed(cluster, commands))


def _typed(cluster: Cluster, commands: tuple[tuple[str, str], ...]) -> Iterator[Refused]:
    for machine, command in commands:
        if len(command) > LONGEST_COMMAND:
            yield Refused(machine, command[:60], "the command is too long")
            continue
        try:
            cluster[machine].sh(command)
        except K8sNetError as error:
            yield Refused(machine, command, error.message)


def restarted(cluster: Cluster) -> Cluster:
    """The cluster right after flanneld and kube-proxy were restarted on every node."""
    later = cluster.clone()
    for unit in _units(later):
        unit.restart()
    return later


def _units(cluster: Cluster) -> list[Service]:
    found = [
        cluster[node].services.get(u) for node in cluster.nodes for u in ("flanneld", "kube-proxy")
    ]
    return [unit for unit in found if isinstance(unit, Service)]


def aged(cluster: Cluster) -> Cluster:
    """The cluster after flanneld and kube-proxy were restarted on every node, and a day later.

    A unit that systemd still starts in vain after a minute is left alone then: it would be started
    10,000 times a day.
    """
    later = restarted(cluster)
    later.advance(A_MINUTE)
    for unit in _units(later):
        if not unit.running and unit.restart_at < inf:
            unit.stop()
    later.advance(A_DAY)
    return later
