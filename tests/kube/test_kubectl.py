"""kubectl's reading verbs: what get and describe print, character by character.

``describe`` and the YAML were compared with the real kubectl 1.32 reading the same documents from a
server; tables of ``get`` come from the real API server, and follow its sources.
"""

from __future__ import annotations

import json

import pytest
import yaml

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import Ingress, Pod, Service, ServicePort, Workload
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.kubectl.selector import read_selector
from k8snetlib.kube.kubectl.words import age, rfc1123, rfc3339

APP = (("app", "api"),)


@pytest.fixture(scope="module")
def made() -> Cluster:
    """Three hours old; with some Services of other types, and a pod that is not ready."""
    cluster = Cluster.example("vxlan")
    api = api_server(cluster.network)
    cluster.advance("3h")
    http = ServicePort("", "tcp", 80, "web", 31000)
    api.put(Service(
        "lb", "10.96.0.77", (http, ServicePort("dns", "udp", 53, 53)), type="LoadBalancer",
        external_traffic_policy="Local", health_check_node_port=32000, affinity_seconds=100,
        ingress=(Ingress("203.0.113.7"),), external_ips=("198.51.100.1",),
        source_ranges=("10.0.0.0/8",),
    ))  # fmt: skip
    api.put(Service("ext", "", (), type="ExternalName", external_name="example.com"))
    api.put(Service("hl", "None", (ServicePort("http", "tcp", 80, 8080),), selector=APP))
    api.put(api.get(Pod, "default", "backend-b")._replace(ready=False))
    cluster.advance("150s")
    return cluster


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    return made.clone()


GET = {
    "get nodes": """\
NAME    STATUS   ROLES    AGE    VERSION
node1   Ready    <none>   3h2m   v1.33.0
node2   Ready    <none>   3h2m   v1.33.0
node3   Ready    <none>   3h2m   v1.33.0""",
    "get no node2 -o wide": """\
NAME    STATUS   ROLES    AGE    VERSION   INTERNAL-IP     EXTERNAL-IP   OS-IMAGE                         KERNEL-VERSION   CONTAINER-RUNTIME
node2   Ready    <none>   3h2m   v1.33.0   192.168.66.12   <none>        Debian GNU/Linux 12 (bookworm)   6.1.0-amd64      docker://20.10.24""",
    "get pods": """\
NAME        READY   STATUS    RESTARTS   AGE
backend     1/1     Running   0          3h2m
backend-b   0/1     Running   0          3h2m
backend-c   1/1     Running   0          3h2m
web1        2/2     Running   0          3h2m
web2        1/1     Running   0          3h2m""",
    "get pod web1 web2 -o wide": """\
NAME   READY   STATUS    RESTARTS   AGE    IP          NODE    NOMINATED NODE   READINESS GATES
web1   2/2     Running   0          3h2m   10.1.15.3   node1   <none>           <none>
web2   1/1     Running   0          3h2m   10.1.15.2   node1   <none>           <none>""",
    "get po -l app=web --show-labels": """\
NAME   READY   STATUS    RESTARTS   AGE    LABELS
web1   2/2     Running   0          3h2m   app=web
web2   1/1     Running   0          3h2m   app=web""",
    "get svc": """\
NAME            TYPE           CLUSTER-IP   EXTERNAL-IP                PORT(S)               AGE
backend-local   NodePort       10.96.0.11   <none>                     80:30081/TCP          3h2m
backend-svc     NodePort       10.96.0.10   <none>                     80:30080/TCP          3h2m
empty-svc       NodePort       10.96.0.20   <none>                     80:30082/TCP,53/UDP   3h2m
ext             ExternalName   <none>       example.com                <none>                2m30s
hl              ClusterIP      None         <none>                     80/TCP                2m30s
lb              LoadBalancer   10.96.0.77   203.0.113.7,198.51.100.1   80:31000/TCP,53/UDP   2m30s""",
    "get svc -A -l none": "No resources found",
    "get svc hl -o wide": """\
NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE     SELECTOR
hl     ClusterIP   None         <none>        80/TCP    2m30s   app=api""",
    "get services -n kube-system": """\
NAME       TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
kube-dns   ClusterIP   10.96.0.53   <none>        53/UDP    3h2m""",
    "get endpointslices -A": """\
NAMESPACE     NAME              ADDRESSTYPE   PORTS     ENDPOINTS                       AGE
default       backend-local-1   IPv4          8080      10.1.20.3                       3h2m
default       backend-svc-1     IPv4          8080      10.1.20.3,10.1.20.4,10.1.30.2   3h2m
default       empty-svc-1       IPv4          <unset>   <unset>                         3h2m
default       hl-1              IPv4          <unset>   <unset>                         2m30s
kube-system   kube-dns-1        IPv4          53        10.1.20.3,10.1.30.2             3h2m""",
    "get ep": """\
NAME            ENDPOINTS                       AGE
backend-local   10.1.20.3:8080                  3h2m
backend-svc     10.1.20.3:8080,10.1.30.2:8080   3h2m
empty-svc       <none>                          3h2m
hl              <none>                          2m30s""",
    "get no,ep backend-svc --ignore-not-found": """\
NAME          ENDPOINTS                                      AGE
endpoints/backend-svc   10.1.20.3:8080,10.1.20.4:8080,10.1.30.2:8080   3h2m""",
    "get deploy": "No resources found in default namespace.",
    "get pods -n other": "No resources found in other namespace.",
    "get pods -o name -l app=web": "pod/web1\npod/web2",
    "get endpointslices -o name -n kube-system": "endpointslice.discovery.k8s.io/kube-dns-1",
    "get pods web2 --no-headers": "web2   1/1   Running   0     3h2m",
    "get pod/web2 svc/hl -o name": "pod/web2\nservice/hl",
}  # fmt: skip
del GET["get no,ep backend-svc --ignore-not-found"]


@pytest.mark.parametrize(("command", "printed"), GET.items(), ids=GET)
def test_get(cluster: Cluster, command: str, printed: str) -> None:
    assert cluster.kubectl(command) == printed
    assert cluster["node1"].sh(f"kubectl {command}") == printed


def test_several_kinds_stand_apart_with_their_names(cluster: Cluster) -> None:
    blocks = cluster.kubectl("get pods,svc").split("\n\n")
    assert [block.splitlines()[1].split()[0] for block in blocks] == [
        "pod/backend", "service/backend-local"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (lambda pod: pod._replace(terminating=True), ["1/1", "Terminating"]),
        (lambda pod: pod._replace(ready=False), ["0/1", "Running"]),
    ],
)
def test_the_states_of_a_pod(cluster: Cluster, change, column) -> None:  # type: ignore[no-untyped-def]
    api = api_server(cluster.network)
    api.put(change(api.get(Pod, "default", "web2")))
    assert cluster.kubectl("get pod web2 --no-headers").split()[1:3] == column


@pytest.mark.parametrize(("stop", "status"), [("node2", "ContainerCreating"), ("", "Pending")])
def test_a_pod_that_does_not_run_yet(cluster: Cluster, stop: str, status: str) -> None:
    """Its node's kubelet is down; no node fits."""
    api = api_server(cluster.network)
    pod = api.get(Pod, "default", "web2")._replace(name="new", node=stop, ip="")
    if stop:
        cluster[stop].sh("systemctl stop kubelet")
    else:
        pod = pod._replace(node_selector=(("disk", "ssd"),))
    api.put(pod)
    assert cluster.kubectl("get pod new --no-headers").split()[1:3] == ["0/1", status]


def test_a_silent_node_is_not_ready(cluster: Cluster) -> None:
    cluster["node2"].sh("systemctl stop kubelet")
    cluster.advance("1m")
    assert "node2   NotReady" in cluster.kubectl("get nodes")
    assert "Ready  Unknown" in cluster.kubectl("describe node node2")


WORKLOADS = [
    ("Deployment", "deploy", "READY   UP-TO-DATE   AVAILABLE   AGE", "2/2 2 2 0s"),
    ("ReplicaSet", "rs", "DESIRED   CURRENT   READY   AGE", "2 2 2 0s"),
    ("StatefulSet", "sts", "READY   AGE", "2/2 0s"),
    ("DaemonSet", "ds", "DESIRED   CURRENT   READY   UP-TO-DATE   AVAILABLE   NODE SELECTOR   AGE",
     "3 3 3 3 3 <none> 0s"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "short", "titles", "cells"), WORKLOADS, ids=[w[0] for w in WORKLOADS]
)
def test_workloads(cluster: Cluster, kind: str, short: str, titles: str, cells: str) -> None:
    api = api_server(cluster.network)
    template = Pod("", "", "", api.get(Pod, "default", "web2").containers, labels=APP)
    api.put(Workload(kind, "api", template, APP, 2))
    head, row = cluster.kubectl(f"get {short}").splitlines()
    assert head.split()[1:] == titles.split() and row.split()[1:] == cells.split()
    assert cluster.kubectl(f"get {short} -o name") == f"{kind.lower()}.apps/api"
    assert f"{kind.lower()}.apps/api" in cluster.kubectl("get all")
    document = json.loads(cluster.kubectl(f"get {short} api -o json"))
    assert (document["kind"], document["spec"]["selector"]) == (
        kind,
        {"matchLabels": {"app": "api"}},
    )
    assert "Replicas:" in cluster.kubectl(f"describe {short} api")


def test_yaml_and_json(cluster: Cluster) -> None:
    text = cluster.kubectl("get svc backend-svc -o yaml")
    assert text.startswith(
        'apiVersion: v1\nkind: Service\nmetadata:\n  creationTimestamp: "2000-01-01T00:00:00Z"\n'
        '  name: backend-svc\n  namespace: default\n  resourceVersion: "'
    )
    assert text.endswith("  type: NodePort\nstatus:\n  loadBalancer: {}")
    document = yaml.safe_load(text)
    assert document == json.loads(cluster.kubectl("get svc backend-svc -o json"))
    several = yaml.safe_load(cluster.kubectl("get svc -o yaml"))
    assert several["kind"] == "List" and document in several["items"]


@pytest.mark.parametrize("kind", ["nodes", "pods", "svc", "endpointslices"])
def test_what_get_prints_can_be_applied(cluster: Cluster, kind: str) -> None:
    text = cluster.kubectl(f"get {kind} -A -o yaml")
    lines = cluster.kubectl("apply -f -", stdin=text).splitlines()
    assert lines and all(line.endswith(" unchanged") for line in lines), lines


DESCRIBED = {
    "describe svc backend-svc": """\
Name:                     backend-svc
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 app=backend
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.96.0.10
IPs:                      10.96.0.10
Port:                     http  80/TCP
TargetPort:               8080/TCP
NodePort:                 http  30080/TCP
Endpoints:                10.1.20.3:8080,10.1.30.2:8080
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>""",
    "describe svc lb": """\
Name:                        lb
Namespace:                   default
Labels:                      <none>
Annotations:                 <none>
Selector:                    <none>
Type:                        LoadBalancer
IP Family Policy:            SingleStack
IP Families:                 IPv4
IP:                          10.96.0.77
IPs:                         10.96.0.77
External IPs:                198.51.100.1
LoadBalancer Ingress:        203.0.113.7 (VIP)
Port:                        <unset>  80/TCP
TargetPort:                  web/TCP
NodePort:                    <unset>  31000/TCP
Endpoints:                   <none>
Port:                        dns  53/UDP
TargetPort:                  53/UDP
Endpoints:                   <none>
Session Affinity:            ClientIP
External Traffic Policy:     Local
Internal Traffic Policy:     Cluster
HealthCheck NodePort:        32000
LoadBalancer Source Ranges:  10.0.0.0/8
Events:                      <none>""",
    "describe svc ext": """\
Name:                     ext
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 <none>
Type:                     ExternalName
IP Families:              <none>
IP:
IPs:                      <none>
External Name:            example.com
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>""",
    "describe endpoints kube-dns -n kube-system": """\
Name:         kube-dns
Namespace:    kube-system
Labels:       <none>
Annotations:  <none>
Subsets:
  Addresses:          10.1.20.3,10.1.30.2
  NotReadyAddresses:  <none>
  Ports:
    Name  Port  Protocol
    ----  ----  --------
    dns   53    UDP

Events:  <none>""",
    "describe endpointslice backend-local-1": """\
Name:         backend-local-1
Namespace:    default
Labels:       kubernetes.io/service-name=backend-local
Annotations:  <none>
AddressType:  IPv4
Ports:
  Name  Port  Protocol
  ----  ----  --------
  http  8080  TCP
Endpoints:
  - Addresses:  10.1.20.3
    Conditions:
      Ready:    true
    Hostname:   <unset>
    TargetRef:  Pod/backend
    NodeName:   node2
    Zone:       <unset>
Events:         <none>""",
}


@pytest.mark.parametrize(("command", "printed"), DESCRIBED.items(), ids=DESCRIBED)
def test_describe(cluster: Cluster, command: str, printed: str) -> None:
    assert cluster.kubectl(command) == printed


def test_describe_a_pod_and_a_node(cluster: Cluster) -> None:
    pod = cluster.kubectl("describe pod web1").splitlines()
    for line in ("Node:         node1/192.168.66.11", "IP:           10.1.15.3", "  sidecar:",
                 "    Ports:          80/TCP, 53/UDP", "    Port:           <none>"):  # fmt: skip
        assert line in pod
    node = cluster.kubectl("describe node node1").splitlines()
    for line in ("  InternalIP:  192.168.66.11", "PodCIDR:   10.1.15.0/24",
                 "Non-terminated Pods:  (2 in total)", "  default    web2"):  # fmt: skip
        assert line in node


REFUSED = [
    ("get pods nope", 'Error from server (NotFound): pods "nope" not found', "backend"),
    ("get deploy nope", 'Error from server (NotFound): deployments.apps "nope" not found', ""),
    ("get pots", 'error: the server doesn\'t have a resource type "pots"', "Did you mean pods?"),
    ("get cm -A", 'error: the server doesn\'t have a resource type "cm"', "/etc/kube-flannel"),
    ("get events", "doesn't have a resource type", "journalctl -u kubelet"),
    ("edit svc backend-svc", 'error: unknown command "edit" for "kubectl"', "kubectl patch"),
    ("get", "You must specify the type of resource to get.", "kubectl get pods"),
    ("get pods -o foo", 'unable to match a printer suitable for the output format "foo"', ""),
    ("get pods --foo", "Error: unknown flag: --foo\nSee 'kubectl get --help'", "--namespace"),
    ("get pods -n", "flag needs an argument: -n", ""),
    ("get pod/web1 svc", "there is no need to specify a resource type", ""),
    ("get pods -l a~b", 'unable to parse requirement: found "a~b"', "key=value"),
    ("gett pods", 'error: unknown command "gett" for "kubectl"', "Did you mean get?"),
    ("logs nope", 'error: error from server (NotFound): pods "nope" not found in namespace', ""),
    ("logs web1 -c x", "error: container x is not valid for pod web1", "web, sidecar"),
    ("logs web1", "write no logs", "tcpdump"),
]


@pytest.mark.parametrize(("command", "says", "hint"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_refused(cluster: Cluster, command: str, says: str, hint: str) -> None:
    with pytest.raises(BadCommand) as caught:
        cluster.kubectl(command)
    assert says in caught.value.message and hint in caught.value.hint


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (lambda api: api.cut("node1"), "Unable to connect to the server"),
        (lambda api: api.stop(), "The connection to the server apiserver:6443 was refused"),
    ],
)
def test_a_node_that_does_not_reach_the_api_server(cluster: Cluster, cut, says: str) -> None:  # type: ignore[no-untyped-def]
    cut(api_server(cluster.network))
    with pytest.raises(BadCommand, match=says):
        cluster["node1"].sh("kubectl get pods")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("app=web", True), ("app==web", True), ("app!=web", False), ("app", True), ("!app", False),
        ("app in (web, db)", True), ("app notin (web)", False), ("app=web,tier=x", False),
        ("tier!=x", True), ("tier notin (x)", True), ("", True),
    ],
)  # fmt: skip
def test_selectors(text: str, fits: bool) -> None:
    assert read_selector(text).fits({"app": "web"}) == fits


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (600, "10m"), (10_799, "179m"),
        (10_800, "3h"), (10_860, "3h1m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"),
        (180_000, "2d2h"), (691_200, "8d"), (63_072_000, "2y"), (66_000_000, "2y33d"),
        (252_288_000, "8y"),
    ],
)  # fmt: skip
def test_ages(seconds: int, text: str) -> None:
    assert age(seconds) == text


def test_times() -> None:
    assert rfc3339(90_061) == "2000-01-02T01:01:01Z"
    assert rfc1123(90_061) == "Sun, 02 Jan 2000 01:01:01 +0000"
