"""Random tables of nftables for the small network of ``random_cases``.

What depends on real time or real chance is left out: ``numgen`` with more than one way, timeouts.
"""

from __future__ import annotations

import random
import re

from tests.kernel.random_cases import N1, N2, PORTS, VIRTUAL, A, B, C

ADDRESSES = (A, B, C, N1, N2, VIRTUAL)
RANGES = (*ADDRESSES, "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16", "10.0.1.2-10.0.1.3")
HOOKS = {"prerouting": (-310, -160, -110, 5), "input": (-150, 0, 20), "forward": (-10, 0, 60),
         "output": (-305, -110, 0, 10), "postrouting": (-150, 90, 110)}  # fmt: skip
NAT = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
#: Where ``reject`` may stand.
REJECTS = ("input", "forward", "output")
_PROTO = re.compile(r"\b(tcp|udp|icmp|l4proto)\b")


def ruleset(rnd: random.Random) -> str:
    """One or two tables, as ``nft -f`` reads them."""
    return "\n".join(_table(rnd, f"t{n}") for n in range(rnd.randint(1, 2)))


def _table(rnd: random.Random, name: str) -> str:
    users = [f"u{n}" for n in range(rnd.randint(1, 3))]
    lines = [f"table ip {name} {{", *_sets(rnd, users)]
    for n, user in enumerate(users):
        lines.append(f"chain {user} {{")
        lines += [_rule(rnd, "", "", users[n + 1 :]) for _ in range(rnd.randint(0, 3))]
        lines.append("}")
    for hook, priorities in HOOKS.items():
        for kind in ("filter", "nat"):
            if rnd.random() < 0.45 and (kind == "filter" or hook in NAT):
                priority = NAT[hook] if kind == "nat" else rnd.choice(priorities)
                lines += _base(rnd, kind, hook, priority, users)
    return "\n".join([*lines, "}"])


def _sets(rnd: random.Random, users: list[str]) -> list[str]:
    some = ", ".join(rnd.sample(ADDRESSES, rnd.randint(1, 5)))
    ports = ", ".join(map(str, rnd.sample(PORTS, rnd.randint(1, 6))))
    pairs = {
        (rnd.choice(ADDRESSES), rnd.choice(["tcp", "udp"]), rnd.choice(PORTS)) for _ in range(6)
    }
    verdicts = ", ".join(
        f"{ip} . {proto} . {port} : {_end(rnd, users)}" for ip, proto, port in sorted(pairs)
    )
    return [
        f"set addresses {{ type ipv4_addr; elements = {{ {some} }} }}",
        f"set ports {{ type inet_service; elements = {{ {ports} }} }}",
        "set seen { type ipv4_addr; flags dynamic; }",
        "map services { type ipv4_addr . inet_proto . inet_service : verdict; "
        f"elements = {{ {verdicts} }} }}",
    ]


def _base(rnd: random.Random, kind: str, hook: str, priority: int, users: list[str]) -> list[str]:
    drop = kind == "filter" and rnd.random() < 0.06
    policy = "drop" if drop else "accept"
    rules = [_rule(rnd, kind, hook, users) for _ in range(rnd.randint(0, 4))]
    head = f"type {kind} hook {hook} priority {priority}; policy {policy};"
    return [f"chain {kind}-{hook} {{ {head}", *rules, "}"]


def _rule(rnd: random.Random, kind: str, hook: str, below: list[str]) -> str:
    words = [_match(rnd, hook) for _ in range(rnd.choice([0, 1, 1, 2]))]
    if sum(bool(_PROTO.search(word)) for word in words) > 1:
        words = words[:1]  # two protocols at once: nft would refuse
    end = _target(rnd, kind, hook, below)
    if "dnat" in end and _PROTO.search(end):
        words = [word for word in words if not _PROTO.search(word)]
    if any("icmp" in word for word in words) and " th " in " ".join([*words, end]):
        words = []  # nft would list the port as "icmp checksum"
    if rnd.random() < 0.15:
        end += f' comment "{rnd.choice(["x", "a b", "ns/svc:http"])}"'
    return " ".join([*words, end])


def _not(rnd: random.Random) -> str:
    return "!= " if rnd.random() < 0.25 else ""


def _match(rnd: random.Random, hook: str) -> str:
    side = rnd.choice(["saddr", "daddr"])
    some = ", ".join(rnd.sample(ADDRESSES, 2))
    low, high = sorted(rnd.sample(PORTS, 2))
    proto = rnd.choice(["tcp", "udp", "th"])
    choices = [
        f"ip {side} {_not(rnd)}{rnd.choice(RANGES)}",
        f"ip {side} {_not(rnd)}{{ {some} }}",
        f"ip {side} {_not(rnd)}@addresses",
        f"{proto} {rnd.choice(['sport', 'dport'])} {_not(rnd)}"
        + rnd.choice([str(low), f"{low}-{high}", f"{{ {low}, {high} }}", "@ports"]),
        f"meta l4proto {_not(rnd)}{rnd.choice(['tcp', 'udp', 'icmp', '{ tcp, icmp }'])}",
        f"ct state {_not(rnd)}{rnd.choice(['new', 'established', 'invalid', 'related,established'])}",
        f"ct status {rnd.choice(['dnat', 'snat', 'seen-reply', 'assured'])}",
        f"mark {_not(rnd)}{rnd.choice(['0x1', '0x2', '0x0'])}",
        f"mark and 0x3 {rnd.choice(['==', '!='])} 0x1",
        f"fib {side} type {_not(rnd)}{rnd.choice(['local', 'unicast'])}",
        f"icmp type {rnd.choice(['echo-request', 'echo-reply', 'destination-unreachable'])}",
        f"ip saddr . th dport {{ {rnd.choice(ADDRESSES)} . {low}, {rnd.choice(ADDRESSES)} . {high} }}",
        "update @seen { ip saddr }",
        f"ip saddr {_not(rnd)}@seen",
    ]
    if hook in ("prerouting", "input", "forward"):
        choices.append(f"iifname {_not(rnd)}{rnd.choice(['br0', 'eth0', 'e*', 'lo'])}")
    if hook in ("output", "postrouting", "forward"):
        choices.append(f"oifname {_not(rnd)}{rnd.choice(['br0', 'eth0', 'b*', 'lo'])}")
    return rnd.choice(choices)


def _end(rnd: random.Random, below: list[str]) -> str:
    words = ["accept", "drop", "return", "continue"]
    words += [f"{word} {chain}" for word in ("jump", "goto") for chain in below]
    return rnd.choice(words)


def _target(rnd: random.Random, kind: str, hook: str, below: list[str]) -> str:
    roll = rnd.random()
    if below and roll < 0.25:
        return f"{rnd.choice(['jump', 'goto'])} {rnd.choice(below)}"
    if below and roll < 0.35:
        # A map leads to chains of all users: only base chains may ask it, or there may be a loop.
        if hook:
            return "ip daddr . meta l4proto . th dport vmap @services"
        return f"numgen random mod 1 vmap {{ 0 : goto {below[0]} }}"
    if roll < 0.5:
        change = rnd.choice(["0x1", "mark or 0x2", "mark and 0x1", "mark xor 0x3",
                             "mark and 0xf0 xor 0x1"])  # fmt: skip
        return f"mark set {change}"
    if kind == "nat" and roll < 0.85:
        return _nat(rnd, hook)
    if hook in REJECTS and kind == "filter" and roll < 0.6:
        return rnd.choice(["reject", "reject with icmp host-unreachable",
                           "reject with icmp admin-prohibited"])  # fmt: skip
    return rnd.choice(["accept", "accept", "return", "drop" if kind != "nat" else "accept"])


def _nat(rnd: random.Random, hook: str) -> str:
    port = rnd.choice(PORTS)
    if hook in ("prerouting", "output"):
        to = rnd.choice([A, B, C, N1, N2])
        return rnd.choice([f"dnat to {to}", f"meta l4proto {rnd.choice(['tcp', 'udp'])} dnat to "
                           f"{to}:{port}", "redirect"])  # fmt: skip
    if hook == "postrouting" and rnd.random() < 0.5:
        return "masquerade"
    return f"snat to {rnd.choice([N1, N2])}"
