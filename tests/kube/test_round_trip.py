"""Any cluster that can be written reads back equal."""

from __future__ import annotations

import warnings

from hypothesis import given, settings
from hypothesis import strategies as st

from k8snetlib.kube.api import (
    ClusterSpec,
    Container,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Listen,
    Pod,
    Service,
    ServicePort,
    example_spec,
)
from k8snetlib.kube.manifests import read_manifests, write_manifests

words = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
labels = st.dictionaries(words, words, max_size=3).map(lambda d: tuple(d.items()))
protocols = st.sampled_from(["tcp", "udp"])
numbers = st.integers(1, 65535)


def many(make, *parts, low=0, high=3, **unique):
    """Tuples of values that ``make`` builds of drawn parts."""
    return st.lists(
        st.tuples(*parts).map(lambda t: make(*t)), min_size=low, max_size=high, **unique
    ).map(tuple)


addresses = st.sampled_from(["0.0.0.0", "127.0.0.1", "10.1.15.9"])
listens = many(Listen, protocols, numbers, addresses)
ports = many(ContainerPort, numbers, protocols, words, st.sampled_from([0, 80, 443]), high=2)
containers = many(Container, words, listens, ports, low=1, unique_by=lambda c: c.name)
service_ports = many(
    ServicePort, words, st.sampled_from(["tcp", "udp", "sctp"]), numbers, numbers | words,
    low=1, unique_by=(lambda p: p.name, lambda p: (p.proto, p.port)),
)  # fmt: skip


@st.composite
def specs(draw):
    base = example_spec()
    taken = {n.name for n in base.nodes}
    pods = []
    for at, name in enumerate(
        draw(st.lists(words.filter(lambda w: w not in taken), max_size=4, unique=True))
    ):
        node = draw(st.sampled_from(base.nodes))
        host = draw(st.booleans())
        inside = draw(containers)
        if host:
            inside = tuple(
                c._replace(ports=tuple(p._replace(host_port=0) for p in c.ports)) for c in inside
            )
        pods.append(Pod(
            name, node.name, node.ip if host else node.pod_cidr.host(at + 9), inside, draw(words), draw(labels),
            draw(st.booleans()), draw(st.booleans()), host, draw(labels),
        ))  # fmt: skip
    services, slices = [], []
    for at, name in enumerate(draw(st.lists(words, max_size=3, unique=True))):
        own = draw(service_ports)
        kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]))
        if kind == "NodePort" or (kind == "LoadBalancer" and draw(st.booleans())):
            own = tuple(p._replace(node_port=31000 + 10 * at + i) for i, p in enumerate(own))
        local = kind == "LoadBalancer" and draw(st.booleans())
        services.append(Service(
            name, f"10.96.0.{at + 1}", own, draw(words), kind, "Local" if local else "Cluster",
            draw(st.sampled_from(["Cluster", "Local"])), draw(labels), draw(st.sampled_from([(), ("198.51.100.7",)])),
            draw(st.sampled_from([(), (Ingress("198.51.100.8"), Ingress("198.51.100.9", "Proxy"))])),
            draw(st.sampled_from([(), ("203.0.113.0/24",)])), draw(st.sampled_from([0, 60, 10800])),
            32000 + at if local else 0, draw(st.booleans()),
        ))  # fmt: skip
        ends = tuple(
            Endpoint(
                p.ip,
                p.node,
                p.name,
                *draw(st.tuples(*[st.booleans()] * 3)),
                draw(st.lists(words, max_size=2).map(tuple)),
            )
            for p in pods
        )
        slices.append(
            EndpointSlice(
                f"{name}-1", name, ends, (EndpointPort("x", "tcp", 80),), services[-1].namespace
            )
        )
    tagged = tuple(n._replace(labels=draw(labels)) for n in base.nodes)
    return ClusterSpec(base.network, tagged, tuple(pods), tuple(services), tuple(slices))


@settings(max_examples=40, deadline=None)
@given(spec=specs())
def test_any_cluster_reads_back_equal(tmp_path_factory, spec):
    folder = tmp_path_factory.mktemp("spec")
    write_manifests(spec, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_manifests(folder) == spec
