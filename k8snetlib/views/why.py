"""What lives here: "why?": what the player shows of the entry that decided a step.

``why(hop, step)`` is the deciding entry, the command that shows it on a real node, and for rules
the chains around them. It goes into the player's data as ``why`` of a step::

    {"entry": "route: 10.1.0.0/16 dev flannel0", "netns": "node1",
     "commands": ["ip route get 10.1.20.3 from 10.1.15.2 iif docker0"],
     "chains": [{"name": "nat KUBE-SERVICES", "command": "iptables -t nat -S KUBE-SERVICES",
                 "hit": 2, "rows": [["1", "-A KUBE-SERVICES …", "passed over: not to …"], …]}]}

``hit`` is the row that was decided. A step that no entry decided has none (null).

What may not live here: what a rule does (``rules``), HTML.
"""

from __future__ import annotations

from typing import Any

from k8snetlib.packet import PROTO_NAMES
from k8snetlib.trace import Hop, Names, Step
from k8snetlib.views.rules import Asked, asked, listing
from k8snetlib.views.text import decider
from k8snetlib.words import annotate


def why(hop: Hop, step: Step, names: Names) -> dict[str, Any] | None:
    """What decided a step, as JSON-ready values (see the module's docstring)."""
    chains = [
        {
            "name": f"{one.table} {one.chain}",
            "command": chain_command(one),
            "hit": hit,
            "rows": rows,
        }
        for one in asked(step.rules)
        for rows, hit in [listing(one, step)]
    ]
    commands = list(dict.fromkeys(_commands(hop, step)))
    if not chains and not commands:
        return None
    entry = decider(step)
    if not entry.startswith("route:"):
        entry = annotate(entry, names)
    return {"entry": entry, "netns": hop.netns, "commands": commands, "chains": chains}


def chain_command(one: Asked) -> str:
    """The command that lists a chain on a real node."""
    if " " in one.table:  # a table of nftables: its family stands before its name
        return f"nft list chain {one.table} {one.chain}"
    return f"iptables -t {one.table} -S {one.chain}"


def _commands(hop: Hop, step: Step) -> list[str]:
    """The commands that show the deciding entry; none if no entry decided."""
    kind = type(step.by).__name__
    if kind == "Route" and step.stage == "route":
        return [_route_get(hop, step), "ip route"]
    if kind == "Neighbour":
        return [f"ip neigh show dev {step.by.dev}"]
    if kind == "FdbEntry":
        return [f"bridge fdb show br {step.by.bridge}"]
    if step.stage == "vxlan" and step.by is not None:
        return [f"bridge fdb show dev {step.device}"]
    if kind == "ProxyRoute":
        return ["etcdctl get --prefix /coreos.com/network/subnets"]
    if kind == "Listener":
        return ["ss -lntu"]
    if kind == "Balanced":
        return ["ipvsadm -Ln"]
    if kind == "Entry":
        return [f"conntrack -L -p {PROTO_NAMES.get(step.packet.ip.proto, 'tcp')}"]
    return []


def _route_get(hop: Hop, step: Step) -> str:
    """``ip route get``: of a packet that came in, with where it came from and by which device."""
    ip = step.packet.ip
    before = hop.steps[: next(n for n, one in enumerate(hop.steps) if one is step)]
    came_in = bool(hop.device) and not any(
        one.stage in ("flanneld", "vxlan", "socket") and one.verdict == "pass" for one in before
    )
    if came_in and step.reason.startswith("not for this host"):
        return f"ip route get {ip.dst} from {ip.src} iif {step.device}"
    return f"ip route get {ip.dst}"
