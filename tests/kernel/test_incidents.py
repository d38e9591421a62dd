"""The incidents of the course in this machine's kernel: each symptom is there, for the same reason.

A broken cluster is built in real namespaces by the model's own script, and the probes that show the
symptom are sent through both (``k8snetlib.lab.verify``): same outcome, same frames, same way
through the rules. That the whole cluster's kernel delivers them is what ``test_verify`` shows.

Faults that the kernel here cannot show alone say so in the catalogue (``kernel=False``):
a full connection table is the whole machine's, a remembered UDP flow is forgotten by ``verify``, and
nothing can be sent to a pod that never started (leaked addresses, no subnet.env).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from k8snetlib import Cluster
from k8snetlib.course.incidents.catalogue import FAULTS
from k8snetlib.course.incidents.fault import Probe
from k8snetlib.course.incidents.items import scene
from k8snetlib.kube.api import EndpointSlice
from k8snetlib.kube.apiserver import api_server
from k8snetlib.lab.cli import warm
from k8snetlib.lab.verify import Send, verify
from tests.conftest import require_root, require_tool

#: Every probe that nobody answers costs time: so many of each incident are sent.
MOST = 1
#: Incidents at a Service whose choice would decide what is seen. A kernel chooses anew for a repeated
#: SYN that was lost before its connection was confirmed.
ONE_END = ("target-port", "asymmetric-reply", "hairpin")
#: A repeated SYN is not marked again, so it takes another way through FORWARD than the first. The
#: model sends it, ``verify`` waits for none: outcome, frames and all other rules must still agree.
REPEATED_OTHERWISE = ("asymmetric-reply",)
NEVER_SENT = ("only the model: ", "the kernel counts 0 packets ")
SHOWN = [fault.id for fault in FAULTS.values() if fault.kernel]


def send_of(probe: Probe, cluster) -> Send:
    flow = probe.flow
    target = cluster.address_of(flow.target)
    payload = flow.size or None
    return Send(flow.source, target, flow.port, proto=flow.proto, payload=payload)


def with_one_endpoint(cluster: Cluster) -> Cluster:
    """A kernel forgets a refused connection at once, and with it whom it chose: so leave no choice."""
    copy = cluster.clone()
    api = api_server(copy.network)
    found = next(one for one in api.list(EndpointSlice) if one.service == "backend-svc")
    api.put(found._replace(endpoints=found.endpoints[:1]))
    return copy


@pytest.mark.root
@pytest.mark.parametrize("fault_id", SHOWN)
def test_an_incident_shows_itself_in_the_kernel_as_in_the_model(
    fault_id: str, record_property: Callable[[str, object], None]
) -> None:
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save", "xtables-monitor", "nft"):
        require_tool(tool)
    shown = scene(fault_id)
    cluster = with_one_endpoint(shown.broken) if fault_id in ONE_END else shown.broken
    sends = tuple(send_of(probe, cluster) for probe in shown.probes[:MOST])
    report = verify(warm(cluster, sends), sends, prefix=f"k8si-{os.getpid()}-")
    differences = [text for one in report.checked for text in one.differences]
    if fault_id in REPEATED_OTHERWISE:
        assert not report.ruleset
        assert all(any(words in text for words in NEVER_SENT) for text in differences), str(report)
    else:
        assert report.ok, str(report)
    outcomes = {one.outcome for one in report.checked}
    spread = any(probe.flow.spread for probe in shown.probes[:MOST])
    assert outcomes <= {probe.outcome for probe in shown.probes} or spread, str(report)
    record_property("kernel incidents", 1)
    record_property("kernel sends in incidents", len(report.checked))


def test_what_the_kernel_cannot_show_is_said() -> None:
    assert FAULTS.keys() - set(SHOWN) == {
        "conntrack-full", "leaked-addresses", "stale-udp", "subnet-env",
    }  # fmt: skip
