"""What people write and a cluster completes: nodes, addresses, ports, pods of workloads, slices."""

from __future__ import annotations

import re
import warnings

import pytest

from k8snetlib.address import Prefix
from k8snetlib.kube.api import (
    Container,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Node,
    Pod,
    Service,
    ServicePort,
    Workload,
    example_spec,
)
from k8snetlib.kube.assigned import Scheduler, nodes, with_cluster_ips, with_node_ports
from k8snetlib.kube.endpoint_slices import MAX_ENDPOINTS, PodsByLabel, slices_of
from k8snetlib.kube.manifests import FilledIn, Noted, read_manifests, write_manifests
from k8snetlib.kube.node_objects import NodeDraft
from k8snetlib.kube.workloads import LETTERS, pods_of, template_hash

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: nginx, image: nginx, ports: [{containerPort: 80}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  replicas: 3
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend, tier: api}}
    spec:
      containers:
      - {name: api, image: example, ports: [{name: http, containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: backend-svc}
spec:
  type: NodePort
  selector: {app: backend}
  ports: [{port: 80, targetPort: http}]
"""
MORE = """\
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: example, ports: [{containerPort: 5432, hostPort: 5432}]}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers: [{name: agent, image: example, ports: [{containerPort: 9100}]}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: far}
spec: {type: ExternalName, externalName: example.org}
"""


def read(tmp_path, text):
    """The cluster and all warnings."""
    (tmp_path / "app.yaml").write_text(text, encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = read_manifests(tmp_path)
    return spec, [(w.category, str(w.message)) for w in caught]


# -- an ordinary app folder -----------------------------------------------------------------------


def test_an_app_without_a_cluster(tmp_path):
    """Nothing but two Deployments and a Service: three nodes, and everything has its address."""
    spec, said = read(tmp_path, APP)
    assert said == [
        (FilledIn, "Filled in: 3 nodes (node1, node2, node3); 4 pods of workloads; "
                   "cluster IPs of 1 Service; node ports of 1 Service."),
    ]  # fmt: skip
    assert [(n.name, n.ip, str(n.pod_cidr)) for n in spec.nodes] == [
        ("node1", "192.168.66.11", "10.244.1.0/24"),
        ("node2", "192.168.66.12", "10.244.2.0/24"),
        ("node3", "192.168.66.13", "10.244.3.0/24"),
    ]
    assert [(p.node, p.ip) for p in spec.pods] == [
        ("node1", "10.244.1.2"), ("node2", "10.244.2.2"), ("node3", "10.244.3.2"), ("node1", "10.244.1.3"),
    ]  # fmt: skip
    service = spec.services[0]
    assert (service.cluster_ip, service.ports[0].node_port) == ("10.96.1.1", 30086)
    (found,) = spec.slices
    assert found.ports == (EndpointPort("", "tcp", 8080),)
    assert [e.ip for e in found.endpoints] == ["10.244.2.2", "10.244.3.2", "10.244.1.3"]
    assert all(e.ready and e.pod.startswith("backend-") for e in found.endpoints)


def test_every_kind(tmp_path):
    spec, _ = read(tmp_path, APP + MORE)
    pods = {p.name: p for p in spec.pods}
    assert [(n, pods[n].node, pods[n].namespace) for n in ("db-0", "db-1")] == [
        ("db-0", "node2", "data"), ("db-1", "node3", "data"),
    ]  # fmt: skip
    assert dict(pods["db-1"].labels)["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert pods["db-0"].containers[0].ports == (ContainerPort(5432, host_port=5432),)
    agents = [p for p in spec.pods if p.name.startswith("agent-")]
    assert [(p.node, p.ip, p.host_network) for p in agents] == [
        (n.name, n.ip, True) for n in spec.nodes
    ]
    headless, far = spec.services[1:]
    assert (headless.cluster_ip, far.cluster_ip, far.external_name) == ("None", "", "example.org")
    assert [s.service for s in spec.slices] == ["backend-svc", "db"]
    assert [w.kind for w in spec.workloads] == ["Deployment"] * 2 + ["StatefulSet", "DaemonSet"]


@pytest.mark.parametrize("text", [APP, APP + MORE], ids=["app", "every-kind"])
def test_what_was_completed_reads_back_equal(tmp_path, text):
    (tmp_path / "one").mkdir()
    spec, _ = read(tmp_path / "one", text)
    write_manifests(spec, tmp_path / "two")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_manifests(tmp_path / "two") == spec


def test_pods_that_are_there_count(tmp_path):
    """`kubectl get deploy,rs,pods -o yaml`: nobody makes the pods again."""
    spec, _ = read(tmp_path, APP)
    write_manifests(spec._replace(pods=spec.pods[:2], slices=()), tmp_path)
    (tmp_path / "app.yaml").unlink()
    again, said = read(tmp_path, "")
    assert [p.name for p in again.pods[:2]] == [p.name for p in spec.pods[:2]]
    assert len(again.pods) == 4 and said == [(FilledIn, "Filled in: 2 pods of workloads.")]


NODES = """\
---
apiVersion: v1
kind: Node
metadata: {name: big, labels: {disk: ssd, kubernetes.io/hostname: big}}
---
apiVersion: v1
kind: Node
metadata: {name: small}
spec: {podCIDR: 10.7.2.0/24}
status: {addresses: [{type: InternalIP, address: 10.0.0.5}]}
"""


def test_nodes_are_completed(tmp_path):
    selector = "spec:\n      nodeSelector: {disk: ssd, kubernetes.io/os: linux}\n      containers:\n      - {name: api"
    spec, said = read(
        tmp_path, APP.replace("spec:\n      containers:\n      - {name: api", selector) + NODES
    )
    assert spec.nodes == (
        Node("big", "10.0.0.11", Prefix.parse("10.7.1.0/24"), (("disk", "ssd"),)),
        Node("small", "10.0.0.5", Prefix.parse("10.7.2.0/24")),
    )
    assert {p.node for p in spec.pods if p.name.startswith("backend")} == {"big"}
    assert "addresses or pod ranges of 1 node" in said[0][1]


def test_nodes_that_pods_name(tmp_path):
    """`kubectl get pods -o yaml` alone tells the nodes, their addresses and about where pods live."""
    pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{0}}}\nspec: {{nodeName: w{0}, containers: [{{name: c}}]}}\nstatus: {{hostIP: 10.9.0.{0}, podIP: 10.8.{0}.9, podIPs: [{{ip: 'fd00::1'}}, {{ip: 10.8.{0}.9}}]}}\n"
    spec, said = read(tmp_path, pod.format(5) + pod.format(4))
    assert spec.nodes == (
        Node("w4", "10.9.0.4", Prefix.parse("10.8.4.0/24")),
        Node("w5", "10.9.0.5", Prefix.parse("10.8.5.0/24")),
    )
    assert [p.ip for p in spec.pods] == ["10.8.5.9", "10.8.4.9"]
    assert said == [(FilledIn, "Filled in: 2 nodes (w4, w5).")]


# -- addresses, ports, nodes: the rules -----------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("10.96.0.0/12", ["10.96.1.1", "10.96.1.2"]),
        ("10.96.0.0/24", ["10.96.0.17", "10.96.0.18"]),
        ("10.96.0.0/29", ["10.96.0.1", "10.96.0.3"]),
    ],
)
def test_cluster_ips_begin_above_the_band_of_people(network, expected):
    taken = Service("t", "10.96.0.2", ())
    found = with_cluster_ips(
        [Service("a", "", ()), taken, Service("b", "", ())], Prefix.parse(network)
    )
    assert [s.cluster_ip for s in found if s is not taken] == expected


def test_node_ports_skip_what_is_taken():
    http = ServicePort("http", "tcp", 80)
    a = Service("a", "10.96.0.1", (http, http._replace(name="b", node_port=30087)), type="NodePort")
    b = Service("b", "10.96.0.2", (http,), type="LoadBalancer", external_traffic_policy="Local")
    c = Service("c", "10.96.0.3", (http,), type="LoadBalancer")
    d = Service("d", "10.96.0.4", (http,))
    found = with_node_ports([a, b, c, d], {("default", "c")})
    assert [[p.node_port for p in s.ports] for s in found] == [[30086, 30087], [30088], [0], [0]]
    assert [s.health_check_node_port for s in found] == [0, 30089, 0, 0]


def test_a_pod_goes_where_the_fewest_are():
    cidr = Prefix.parse("10.1.0.0/24")
    three = [Node(f"n{at}", f"10.0.0.{at}", cidr) for at in range(3)]
    there = [Pod("x", "n0", "", ()), Pod("y", "n1", "", ())]
    scheduler = Scheduler(three, there)
    port = Pod("p", "", "", (Container("c", (), (ContainerPort(80, host_port=80),)),))
    placed = [scheduler.place(port._replace(name=f"p{at}")) for at in range(4)]
    assert [pod and pod.node for pod in placed] == ["n2", "n0", "n1", None]
    assert scheduler.place(Pod("q", "", "", ())).node == "n2"


def test_ranges_skip_what_is_taken():
    network = example_spec().network._replace(subnet_len=0)
    taken = NodeDraft("a", "192.168.66.11", Prefix.parse("10.1.1.0/25"))
    found = nodes([taken, NodeDraft("b"), NodeDraft("c")], network, ())
    assert [(n.ip, str(n.pod_cidr)) for n in found[1:]] == [
        ("192.168.66.12", "10.1.2.0/24"), ("192.168.66.13", "10.1.3.0/24"),
    ]  # fmt: skip


# -- workloads ------------------------------------------------------------------------------------

TEMPLATE = Pod("", "", "", (Container("c"),), labels=(("app", "w"),))


def test_names_look_like_the_controllers():
    web = Workload("Deployment", "web", TEMPLATE, TEMPLATE.labels, 3)
    names = [pod.name for pod in pods_of(web, [], ())]
    assert len(set(names)) == 3
    assert all(re.fullmatch(rf"web-{template_hash(web)}-[{LETTERS}]{{5}}", n) for n in names)
    assert re.fullmatch(r"[4-9bcdf]{1,10}", template_hash(web))  # ten digits, ten letters
    assert [pod.name for pod in pods_of(web, [], ())] == names
    first = web.template._replace(name=names[0])
    assert [p.name for p in pods_of(web, [first], {names[0]})] == names[1:]
    terminating = first._replace(terminating=True)
    assert len(pods_of(web, [terminating], {names[0]})) == 3


@pytest.mark.parametrize(
    ("kind", "there", "made"),
    [
        ("ReplicaSet", (), 2),
        ("ReplicaSet", ("a", "b", "c"), 0),
        ("StatefulSet", ("w-0",), ["w-1"]),
        ("DaemonSet", (), ["n1", "n2", "n3"]),
        ("DaemonSet", ("a",), ["n2", "n3"]),
    ],
)
def test_what_is_missing_is_made(kind, there, made):
    work = Workload(kind, "w", TEMPLATE, TEMPLATE.labels, 2)
    pods = [TEMPLATE._replace(name=name, node="n1") for name in there]
    found = pods_of(work, pods, set(there), ["n1", "n2", "n3"])
    if isinstance(made, int):
        assert len(found) == made
    else:
        assert [p.node if kind == "DaemonSet" else p.name for p in found] == made


def test_a_replica_set_and_its_deployment_make_no_twins(tmp_path):
    owned = (
        APP.partition("---")[0]
        .replace("kind: Deployment", "kind: ReplicaSet")
        .replace("web}\nspec", "web-1}\nspec")
    )
    spec, _ = read(tmp_path, APP.partition("---")[0] + "---\n" + owned)
    assert [p.name.rpartition("-")[0] for p in spec.pods] == ["web-1"]


# -- the endpoint slice controller ----------------------------------------------------------------


def behind(name, number, **more):
    ports = (ContainerPort(number, name="http"),)
    return Pod(
        name,
        "n",
        f"10.1.0.{number % 250 + 1}",
        (Container("c", (), ports),),
        labels=(("app", "a"),),
        **more,
    )


NAMED = Service("s", "10.96.0.9", (ServicePort("web", "tcp", 80, "http"), ServicePort("raw", "udp", 53)),
                selector=(("app", "a"),))  # fmt: skip


def test_a_named_port_is_looked_up_in_each_pod():
    pods = [behind("a", 8080), behind("b", 9090), behind("c", 8080)]
    web = [[(p.name, p.port) for p in s.ports] for s in slices_of(NAMED, pods)]
    assert web == [[("web", 8080), ("raw", 53)], [("web", 9090), ("raw", 53)]]
    assert [[e.pod for e in s.endpoints] for s in slices_of(NAMED, pods)] == [["a", "c"], ["b"]]


@pytest.mark.parametrize(
    ("more", "publish", "conditions"),
    [
        ({}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"terminating": True}, False, (False, True, True)),
        ({"ready": False}, True, (True, False, False)),
        ({"terminating": True, "ready": False}, True, (True, False, True)),
    ],
    ids=["ready", "unready", "terminating", "published", "published-terminating"],
)
def test_conditions(more, publish, conditions):
    (found,) = slices_of(NAMED._replace(publish_not_ready=publish), [behind("a", 80, **more)])
    assert found.endpoints[0][3:6] == conditions


def test_slices_are_not_too_long():
    pods = [behind(f"p{at}", 80)._replace(ip=f"10.1.{at}.1") for at in range(2 * MAX_ENDPOINTS + 1)]
    assert [len(s.endpoints) for s in slices_of(NAMED, pods)] == [100, 100, 1]
    assert slices_of(NAMED, ()) == (EndpointSlice("s-1", "s", (), ()),)


def test_a_selector_wants_all_labels():
    a, v = ("app", "a"), ("v", "2")
    pods = [
        behind(n, 80)._replace(labels=own) for n, own in (("a", (a,)), ("b", (a, v)), ("c", (v,)))
    ]
    both = NAMED._replace(selector=(("app", "a"), ("v", "2")))
    assert [p.name for p in PodsByLabel(pods).selected(both)] == ["b"]
    assert PodsByLabel(pods).selected(NAMED._replace(namespace="other")) == []


def test_a_target_port_that_no_pod_knows(tmp_path):
    """Kubernetes takes it, and the Service has no endpoints: the classic slip."""
    spec, said = read(tmp_path, APP.replace("targetPort: http", "targetPort: htp"))
    assert said[1] == (Noted, "Noted: the target port 'htp' of Service default/backend-svc is no "
                              "tcp port of a pod behind it.")  # fmt: skip
    assert spec.slices[0].ports == ()


ENDPOINTS = """\
---
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets:
- addresses: [{ip: 10.0.0.9}, {ip: 10.244.1.2}]
  notReadyAddresses: [{ip: 10.244.2.2, nodeName: node2}]
  ports: [{name: sql, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{name: sql, port: 5432}]}
"""


def test_endpoints_become_a_slice(tmp_path):
    spec, said = read(tmp_path, APP + ENDPOINTS)
    assert spec.slices[1] == EndpointSlice("db-1", "db", (
        Endpoint("10.0.0.9"), Endpoint("10.244.1.2", "node1"),
        Endpoint("10.244.2.2", "node2", ready=False, serving=False),
    ), (EndpointPort("sql", "tcp", 5432),))  # fmt: skip
    assert said[1] == (
        Noted,
        "Noted: 10.0.0.9, an endpoint of Service default/db, is no pod of these.",
    )
