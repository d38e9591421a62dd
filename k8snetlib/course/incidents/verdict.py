"""What lives here: what is to be said of a repair: symptom gone, nothing else broken, it lasts.

The whole cluster says what should be. A flow that fails in the broken cluster is part of the fault;
one that does not is somebody else's, and must stay as it is, the source address included. What was
right (see ``state``) must stay right. Nothing counts before at least a part of the symptom is gone:
an empty repair breaks nothing, and earns nothing for it.

The judging is a pure function of the fault, its number and the script.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from k8snetlib.cluster import Cluster
from k8snetlib.course.incidents.fault import Probe, Scene
from k8snetlib.course.incidents.flows import Flow, Seen, flows_of, observe
from k8snetlib.course.incidents.repair import Repair, aged, restarted, tried, typed
from k8snetlib.course.incidents.state import State, lost, state
from k8snetlib.course.rubric import Finding, Findings, fail
from k8snetlib.errors import BadCommand

#: The ids of the wrong beliefs that a repair gives away.
NO_REPAIR, HALF, UNREAD = "NO_REPAIR", "HALF_REPAIRED", "FILE_UNREAD"
MASQ_HIDES, BROKE, FLUSHED = "MASQ_HIDES", "BROKE_OTHERS", "FLUSHED"
STOPPED, CHANGED, RUNTIME = "DAEMON_OFF", "CHANGED_OTHERS", "RUNTIME_ONLY"
HIDDEN = "HIDDEN_FAULT"

_NOTICED = "You seem to think that a daemon notices a changed file by itself."
_KEPT = "You seem to think that a restarted daemon keeps what was set by hand."
_WAITS = "This counts when at least a part of the symptom is gone."


class Verdict(NamedTuple):
    """What was found about a repair, item by item; empty is good."""

    gone: Findings
    clean: Findings
    lasting: Findings
    repair: Repair | None = None


@lru_cache(maxsize=64)
def right_state(cluster: Cluster) -> State:
    """What is right by itself in a cluster that nobody changes any more."""
    return state(cluster)


@lru_cache(maxsize=8192)
def right(cluster: Cluster, flow: Flow) -> Seen:
    """What becomes of a flow in a cluster that nobody changes any more; without the exchange: there
    are thousands, and nobody asks how they went."""
    return observe(cluster, flow)._replace(exchange=None)


def judged(scene: Scene, script: str) -> Verdict:
    """Tries a script and says what is to be said."""
    try:
        repair = tried(scene.broken, script)
    except BadCommand as error:
        text = f"The script cannot be typed: {error.message} {error.hint}".strip()
        waits = (Finding(_WAITS),)
        return Verdict((Finding(text),), waits, waits)
    left = still_there(scene, repair.after)
    waits = (Finding(_WAITS),)
    if len(left) == len(scene.probes):
        return Verdict((*_gone(scene, repair, left), *_worse(scene, repair)), waits, waits, repair)
    clean, lasting = _compared(scene, repair)
    if not left and (covered := scene.left(repair.after)):
        lasting += (_hidden(covered),)
    return Verdict(_gone(scene, repair, left), clean, lasting, repair)


def still_there(scene: Scene, cluster: Cluster) -> list[Probe]:
    """The probes that do not end in that cluster as they should."""
    return [probe for probe in scene.probes if not _mended(scene, probe, cluster)]


def _mended(scene: Scene, probe: Probe, cluster: Cluster) -> bool:
    return _as_it_should(observe(cluster, probe.flow), right(scene.whole, probe.flow), probe)


def _as_it_should(seen: Seen, should: Seen, probe: Probe) -> bool:
    return seen.ends == should.ends if probe.source else seen.fates == should.fates


# -- the symptom ----------------------------------------------------------------------------------


def _gone(scene: Scene, repair: Repair, left: list[Probe]) -> Findings:
    if not left:
        return ()
    witness = observe(repair.after, left[0].flow).exchange
    refused = _refused(repair)
    if len(left) < len(scene.probes):
        text = f"Only a part of the symptom is gone. Still there: {left[0].flow}. {refused}"
        return fail(text.strip(), HALF, witness)
    text = f"The symptom is still there: {left[0].flow}."
    if refused:
        return fail(f"{text} {refused}", NO_REPAIR, witness)
    if _unread(scene, repair):
        return fail(f"{text} {_NOTICED}", UNREAD, witness)
    if _undone(scene, repair):
        return fail(f"{text} {_KEPT}", RUNTIME, witness)
    return fail(text, NO_REPAIR, witness)


def _unread(scene: Scene, repair: Repair) -> bool:
    """True if a file was changed, and a part of the symptom ends when its daemon reads it."""
    states = right_state(scene.broken), state(repair.after)
    then, now = ({k: v for k, v in one.items() if k[0] == "file"} for one in states)
    return then != now and _ends_some(scene, restarted(repair.after))


def _undone(scene: Scene, repair: Repair) -> bool:
    """True if a part of the symptom ends without the restarts in the script."""
    kept = tuple(one for one in repair.commands if not one[1].startswith("systemctl restart"))
    if len(kept) == len(repair.commands):
        return False
    return _ends_some(scene, typed(scene.broken, kept)[0])


def _ends_some(scene: Scene, cluster: Cluster) -> bool:
    return len(still_there(scene, cluster)) < len(scene.probes)


def _worse(scene: Scene, repair: Repair) -> Iterator[Finding]:
    """What an attempt in vain has broken besides, told once."""
    keys = lost(right_state(scene.whole), right_state(scene.broken), state(repair.after))
    yield from _first(list(_state_findings(keys)))


def _refused(repair: Repair) -> str:
    if not repair.refused:
        return ""
    first, count = repair.refused[0], len(repair.refused)
    more = f" {count} commands were refused." if count > 1 else ""
    return f"Refused was '{first.machine}$ {first.command}': {first.said}.{more}"


# -- what else became of it -----------------------------------------------------------------------


def _compared(scene: Scene, repair: Repair) -> tuple[Findings, Findings]:
    """Nothing else broken; and it lasts."""
    states = right_state(scene.whole), right_state(scene.broken), state(repair.after)
    clean: list[Finding] = list(_state_findings(lost(*states)))
    lasting: list[Finding] = list(_in_pods(scene.broken, repair.after))
    flows = dict.fromkeys((*flows_of(scene.whole), *(probe.flow for probe in scene.probes)))
    older = aged(repair.after)
    for flow in flows:
        should = right(scene.whole, flow)
        later = observe(older, flow)
        if _well(later, should):
            continue
        soon = observe(repair.after, flow)
        if _well(soon, should):
            lasting.append(_short_lived(flow, later))
        elif found := _harm(repair.after, flow, right(scene.broken, flow), soon, should):
            clean.append(found)
        elif soon.fates == should.fates != later.fates:
            lasting.append(_short_lived(flow, later))
    return _first(clean), _first(lasting)


def _in_pods(broken: Cluster, after: Cluster) -> Iterator[Finding]:
    """Rules that were put into a pod's namespace: they end with the pod."""
    for name, ns in after.network.netns.items():
        if ns.role == "pod" and name in broken.network.netns:
            before = {str(rule) for _, _, rule in broken[name].ruleset.rules()}
            if any(str(rule) not in before for _, _, rule in ns.ruleset.rules()):
                text = f"A rule inside {name} is gone with the pod. Mend what the pod is made from."
                yield Finding(text, RUNTIME)


def _well(seen: Seen, should: Seen) -> bool:
    """True if all is as it should be; the same fates from fewer pods are as good."""
    return seen.fates == should.fates and seen.ends <= should.ends


def _hidden(covered: str) -> Finding:
    text = (
        f"{covered}. You seem to think that a fault that nobody sees is gone. "
        "It is back as soon as what you added goes."
    )
    return Finding(text, HIDDEN)


def _short_lived(flow: Flow, later: Seen) -> Finding:
    text = (
        f"Restart flanneld and kube-proxy, wait a day, and this fails again: {flow}. "
        "Mend what the daemons read, not only what they wrote."
    )
    return Finding(text, RUNTIME, later.exchange)


def _harm(after: Cluster, flow: Flow, before: Seen, soon: Seen, should: Seen) -> Finding | None:
    """A finding if the repair, and not the fault, is why a flow is not as it should be."""
    if before.ends == soon.ends:
        return None  # the fault itself, still there
    if soon.fates == should.fates:
        sources = {source for _, _, source in soon.ends}
        if sources <= _further_addresses(after, flow.source):
            text = f"The sender has two addresses now, and speaks from the other one: {flow}."
            return Finding(text, BROKE, soon.exchange)
        if sources == {flow.source}:
            text = (
                f"The receiver now sees the sender's own address: {flow}. It should see a node's."
            )
            return Finding(text, BROKE, soon.exchange)
        text = (
            f"The receiver now sees another source address: {flow}. "
            "You seem to think that a masquerade is a repair. It hides who speaks."
        )
        return Finding(text, MASQ_HIDES, soon.exchange)
    if before.ends != should.ends:
        return None  # it failed before, and fails in another way now
    text = f"Your repair changed what had been right: {flow} is not as before."
    return Finding(text, BROKE, soon.exchange)


def _further_addresses(cluster: Cluster, host: str) -> set[str]:
    """A host's addresses, without the first of each device."""
    ns = cluster.network.netns.get(host)
    devices = ns.devices.values() if ns is not None else ()
    return {address.ip for device in devices for address in device.addresses[1:]}


def _state_findings(keys: list[tuple[str, str, str]]) -> Iterator[Finding]:
    for kind, where, which in keys:
        if kind in ("rule", "policy"):
            what = "a rule is gone that" if kind == "rule" else f"the policy of {which} changed. It"
            text = (
                f"On {where} {what} was no part of the fault. "
                "You seem to think that fewer rules are a repair."
            )
            yield Finding(text, FLUSHED, f"{where}: {which}")
        elif kind == "daemon":
            text = f"{which} does not run on {where} any more. It was no part of the fault."
            yield Finding(text, STOPPED)
        elif kind == "switch":
            text = f"On {where} the setting {which} has changed. It had been right."
            yield Finding(text, CHANGED)
        elif kind == "file":
            yield Finding(f"On {where} {which} has changed. It had been right.", CHANGED)
        else:
            text = f"The {kind} {which} is gone or has changed. It had been right."
            yield Finding(text, CHANGED)


def _first(findings: list[Finding]) -> Findings:
    """The first finding of each belief: ten flows that break alike are told once."""
    told: dict[str | None, Finding] = {}
    for finding in findings:
        told.setdefault(finding.belief, finding)
    return tuple(told.values())
