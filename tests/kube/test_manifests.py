"""Manifests: what is written reads back equal; what is wrong is refused with its place."""

from __future__ import annotations

import json
import warnings

import pytest
import yaml

from k8snetlib import Cluster
from k8snetlib.address import Prefix
from k8snetlib.errors import BadManifest
from k8snetlib.kube.api import Container, ContainerPort, EndpointPort, Listen, example_spec
from k8snetlib.kube.manifests import Noted, PassedOver, read_manifests, write_manifests

NODE = """\
apiVersion: v1
kind: Node
metadata:
  name: n1
spec:
  podCIDR: 10.2.1.0/24
status:
  addresses:
  - {type: InternalIP, address: 172.16.0.11}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: a
  labels: {app: a}
spec:
  nodeName: n1
  containers:
  - name: main
    image: example
    ports:
    - {name: web, containerPort: 8080}
status:
  podIP: 10.2.1.5
  phase: Running
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: s
spec:
  clusterIP: 10.96.0.7
  selector: {app: a}
  ports:
  - {port: 80, targetPort: web}
"""
SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: s-1
  labels: {kubernetes.io/service-name: s}
addressType: IPv4
endpoints:
- addresses: [10.2.1.5]
  conditions: {ready: true}
ports:
- {name: "", port: 8080}
"""
NETWORK = """\
apiVersion: k8snetlib/v1
kind: ClusterNetwork
metadata: {name: network}
spec:
  underlay: {nodeNetwork: 172.16.0.0/24, outsideNetwork: 203.0.113.0/24}
  flannel: {Network: 10.2.0.0/16}
  serviceNetwork: 10.96.0.0/16
"""


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - {name: main, image: example, ports: [{containerPort: 80}]}
"""


def read(tmp_path, *documents, name="all.yaml"):
    file = tmp_path / name
    file.write_text("---\n".join(documents), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_manifests(file)


def ready(spec):
    """The addresses that are ready behind the first Service."""
    service = spec.services[0]
    own = [s for s in spec.slices if (s.namespace, s.service) == (service.namespace, service.name)]
    return [endpoint.ip for s in own for endpoint in s.endpoints if endpoint.ready]


# -- round trip -----------------------------------------------------------------------------------


def odd_spec():
    """Sockets that containerPort cannot express, in an order of their own."""
    spec = example_spec()
    sockets = (Listen("udp", 53, "127.0.0.1"), Listen("tcp", 80), Listen("tcp", 81, "10.1.15.2"))
    pods = [p for p in spec.pods if p.name != "web2"]
    web2 = next(p for p in spec.pods if p.name == "web2")
    web2 = web2._replace(containers=(Container("x", sockets), Container("y")), namespace="other")
    network = spec.network._replace(bridge="cni0", hairpin=False, mtu=9000, hosts=())
    return spec._replace(pods=(*pods, web2), network=network)


@pytest.mark.parametrize(
    "spec",
    [
        *(example_spec(b, m) for b in ("udp", "vxlan", "host-gw") for m in ("iptables", "ipvs")),
        example_spec()._replace(services=(), slices=()),
        example_spec()._replace(pods=(), services=(), slices=()),
        odd_spec(),
    ],
    ids=lambda spec: f"{spec.network.backend}-{spec.network.proxy_mode}-{len(spec.pods)}pods",
)
def test_round_trip(tmp_path, spec):
    paths = write_manifests(spec, tmp_path / "new" / "folder")
    assert read_manifests(tmp_path / "new" / "folder") == spec
    assert read_manifests(*reversed(paths)) == spec


def test_what_is_written_is_kubernetes(tmp_path):
    kinds = {
        "nodes.yaml": ("v1", "Node", 3),
        "pods.yaml": ("v1", "Pod", 5),
        "services.yaml": ("v1", "Service", 4),
        "endpointslices.yaml": ("discovery.k8s.io/v1", "EndpointSlice", 4),
        "network.yaml": ("k8snetlib/v1", "ClusterNetwork", 1),
    }
    paths = write_manifests(example_spec(), tmp_path)
    assert {path.name for path in paths} == set(kinds)
    for path in paths:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        version, kind, count = kinds[path.name]
        assert len(documents) == count
        for document in documents:
            assert (document["apiVersion"], document["kind"]) == (version, kind)
            assert document["metadata"]["name"]
    pod = next(yaml.safe_load_all((tmp_path / "pods.yaml").read_text(encoding="utf-8")))
    assert pod["metadata"]["annotations"] == {"k8snetlib/listen": "sidecar=127.0.0.1:9000/tcp"}
    assert pod["status"]["podIP"] == "10.1.15.3" and pod["status"]["hostIP"] == "192.168.66.11"


def test_the_cluster_from_manifests_walks_alike(tmp_path):
    write_manifests(example_spec(), tmp_path)
    ours, theirs = Cluster.example(), Cluster.from_manifests(str(tmp_path))
    walks = [c.connect("web2", "10.1.20.3", port=8080, sport=40001) for c in (ours, theirs)]
    assert list(map(str, walks[0].capture())) == list(map(str, walks[1].capture()))


# -- forms ----------------------------------------------------------------------------------------


def test_json_lists_and_folders(tmp_path):
    items = [yaml.safe_load(text) for text in (NODE, POD, SERVICE, SLICE)]
    listed = {"apiVersion": "v1", "kind": "List", "items": items[:2]}
    (tmp_path / "a.json").write_text(json.dumps(listed), encoding="utf-8")
    pods = {"apiVersion": "v1", "kind": "ServiceList", "items": [items[2]]}
    del pods["items"][0]["kind"], pods["items"][0]["apiVersion"]
    (tmp_path / "b.yml").write_text(yaml.safe_dump(pods), encoding="utf-8")
    (tmp_path / "c.yaml").write_text("---\n---\n" + SLICE, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a manifest", encoding="utf-8")
    spec = read_manifests(tmp_path)
    assert [n.name for n in spec.nodes] == ["n1"]
    assert ready(spec) == ["10.2.1.5"]
    assert spec.services[0].ports[0].target_port == "web"
    assert spec.slices[0].ports == (EndpointPort("", "tcp", 8080),)


def test_without_a_network_document(tmp_path):
    network = read(tmp_path, NODE, POD, SERVICE).network
    assert network.node_network == Prefix.parse("172.16.0.0/24")
    assert network.pod_network == Prefix.parse("10.2.0.0/16")
    assert network.service_network == Prefix.parse("10.96.0.0/16")
    assert (network.backend, network.proxy_mode, network.hosts) == ("udp", "iptables", ())


ENDPOINTS = [
    ("by-selector", (SERVICE,), ["10.2.1.5"]),
    ("other-namespace", (SERVICE.replace("name: s", "name: s\n  namespace: other"),), []),
    ("not-ready", (SERVICE, SLICE.replace("ready: true", "ready: false")), []),
    ("by-address", (SERVICE, SLICE), ["10.2.1.5"]),
    ("no-selector", (SERVICE.replace("selector: {app: a}", "").replace("web}", "8080}"),), []),
]


@pytest.mark.parametrize(
    ("documents", "endpoints"), [e[1:] for e in ENDPOINTS], ids=[e[0] for e in ENDPOINTS]
)
def test_endpoints(tmp_path, documents, endpoints):
    documents = [d.replace("targetPort: web", "targetPort: 8080") for d in documents]
    assert ready(read(tmp_path, NODE, POD, *documents)) == endpoints


LISTENS = [
    ("", (Listen("tcp", 8080),)),
    ("main=127.0.0.1:9000/tcp", (Listen("tcp", 9000, "127.0.0.1"),)),
    ("main=0.0.0.0:1/udp, main=0.0.0.0:2/tcp", (Listen("udp", 1), Listen("tcp", 2))),
    ("main=", ()),
]


@pytest.mark.parametrize(("text", "sockets"), LISTENS, ids=[text or "none" for text, _ in LISTENS])
def test_what_a_container_listens_on(tmp_path, text, sockets):
    pod = POD.replace("  labels:", f"  annotations: {{k8snetlib/listen: '{text}'}}\n  labels:")
    ports = (ContainerPort(8080, name="web"),)
    assert read(tmp_path, NODE, pod).pods[0].containers == (Container("main", sockets, ports),)


MAIN = Container("main", (Listen("tcp", 8080),), (ContainerPort(8080, name="web"),))
SHAPES = [
    ("sidecar", "  containers:", "  initContainers:\n  - {name: log, restartPolicy: Always, ports: [{containerPort: 9}]}\n  - {name: once, ports: [{containerPort: 8}]}\n  containers:",
     (MAIN, Container("log", (Listen("tcp", 9),)))),
    ("host-port", "containerPort: 8080", "containerPort: 8080, hostPort: 80, hostIP: 127.0.0.1",
     (MAIN._replace(ports=(ContainerPort(8080, "tcp", "web", 80, "127.0.0.1"),)),)),
    ("host-network", "spec:\n", "spec:\n  hostNetwork: true\n", (MAIN,)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "found"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES]
)
def test_what_a_pod_is_made_of(tmp_path, old, new, found):
    text = (
        POD.replace("containerPort: 8080", "containerPort: 8080, hostPort: 8080")
        if "Network" in new
        else POD
    )
    (pod,) = read(tmp_path, NODE, text.replace(old, new, 1)).pods
    assert pod.containers == found and pod.host_network == ("Network" in new)


PASSED = [
    ("unknown-kind", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: d}\n", "Job default/d"),
    ("other-group", "apiVersion: x.io/v1\nkind: Service\nmetadata: {name: d}\n", "Service default/d"),
    ("finished", POD.replace("Running", "Succeeded"), "which has ended"),
    ("waiting", POD.replace("Running", "Pending").replace("  podIP: 10.2.1.5\n", ""), "which does not run yet"),
    ("nowhere", POD.replace("spec:\n", "spec:\n  nodeSelector: {disk: ssd}\n").replace("  nodeName: n1\n", ""), "no node has the labels"),
    ("ipv6-pod", POD.replace("10.2.1.5", "'fd00::5'"), "which has no IPv4 address"),
    ("ipv6-slice", SLICE.replace("IPv4", "IPv6"), "not for IPv4"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), [p[1:] for p in PASSED], ids=[p[0] for p in PASSED])
def test_passed_over_and_named(tmp_path, text, says):
    file = tmp_path / "x.yaml"
    file.write_text(NODE + "---\n" + text, encoding="utf-8")
    with pytest.warns(PassedOver, match="^Passed over: ") as caught:
        spec = read_manifests(file)
    assert len(caught) == 1 and says in str(caught[0].message)
    assert [n.name for n in spec.nodes] == ["n1"]


def test_a_stray_endpoint_is_kept_and_named(tmp_path):
    """kube-proxy sends packets there as well; only the pod that it names is unknown here."""
    stray = SLICE.replace("10.2.1.5]", "10.2.1.99]\n  targetRef: {kind: Pod, name: gone}")
    file = tmp_path / "x.yaml"
    file.write_text("---\n".join((NODE, POD, SERVICE, stray)), encoding="utf-8")
    with pytest.warns(
        Noted, match=r"10\.2\.1\.99, .* Service default/s, is no pod of these"
    ) as caught:
        spec = read_manifests(file)
    assert len(caught) == 1
    assert ready(spec) == ["10.2.1.99"] and spec.slices[0].endpoints[0].pod == ""


# -- refusals: the text, and what the message must contain ---------------------------------------

BAD = [
    ("not-yaml", "a: [", "all.yaml, line 2: this is not YAML"),
    ("key-twice", NODE.replace("kind: Node", "kind: Node\nkind: Node"), "line 3: this is not YAML: the key 'kind' stands twice"),
    ("not-a-mapping", "- 1\n", "document 1: must be a mapping"),
    ("no-kind", "apiVersion: v1\n", "document 1, line 1: kind is missing"),
    ("no-name", NODE.replace("  name: n1", "  labels: {}"), "metadata.name is missing"),
    ("name-is-a-number", NODE.replace("n1", "1"), "metadata.name must be text (put it in quotes), not 1"),
    ("no-name-for-a-pod", NODE + "---\n" + POD.replace("name: a", "name: W_9", 1), "Pod default/W_9: metadata.name is 'W_9', which is no name for a Pod."),
    ("no-name-for-a-service", NODE + "---\n" + SERVICE.replace("name: s", "name: 9s"), "metadata.name is '9s', which is no name for a Service."),
    ("long-name", NODE.replace("n1", "n" * 254), "which is no name for a Node."),
    ("bad-cidr", NODE.replace("10.2.1.0/24", "10.2.1.7/24"), "line 6: Node n1: spec.podCIDR is wrong: '10.2.1.7/24' has host bits set"),
    ("bad-address", NODE.replace("172.16.0.11", "172.16.0.300"), "status.addresses[0].address is wrong"),
    ("no-internal-ip", NODE.replace("InternalIP", "Hostname"), "status.addresses has no IPv4 address of type InternalIP"),
    ("bad-port", NODE + "---\n" + POD.replace("8080", "80800"), "spec.containers[0].ports[0].containerPort is 80800"),
    ("bad-proto", NODE + "---\n" + POD.replace("containerPort:", "protocol: TCPP, containerPort:"), "protocol is 'TCPP'"),
    ("no-containers", NODE + "---\n" + POD.partition("  containers:")[0] + "status: {podIP: 10.2.1.5}\n", "spec.containers is missing or empty"),
    ("bad-listen", NODE + "---\n" + POD.replace("  labels:", "  annotations: {k8snetlib/listen: main=x}\n  labels:"), "metadata.annotations.k8snetlib/listen is wrong"),
    ("listen-of-nobody", NODE + "---\n" + POD.replace("  labels:", "  annotations: {k8snetlib/listen: 'x=0.0.0.0:1/tcp'}\n  labels:"), "names the container 'x'"),
    ("twice", NODE + "---\n" + NODE, "all.yaml: document 2, line 13: Node n1 is there twice, first in "),
    ("twice-from", NODE + "---\n" + NODE, "all.yaml: document 1, line 3."),
    ("node-address-twice", NODE + "---\n" + NODE.replace("n1", "n2"), "document 2, line 13: Node n2: address 172.16.0.11 is there twice"),
    ("pod-address-twice", NODE + "---\n" + POD + "---\n" + POD.replace("name: a", "name: q", 1), "Pod default/q: address 10.2.1.5 is there twice"),
    ("unknown-node", NODE + "---\n" + POD.replace("nodeName: n1", "nodeName: n7"), "Pod default/a: spec.nodeName is 'n7', an unknown node."),
    ("pod-of-another-range", NODE + "---\n" + POD.replace("10.2.1.5", "10.2.9.5"), "status.podIP is 10.2.9.5, not in 10.2.1.0/24, the range of n1."),
    ("ip-twice", SERVICE + "---\n" + SERVICE.replace("name: s", "name: t"), "Service default/t: cluster IP 10.96.0.7 is there twice"),
    ("node-port-twice", SERVICE.replace("targetPort: web", "nodePort: 30001").replace("spec:", "spec:\n  type: NodePort") + "---\n" + SERVICE.replace("name: s", "name: t").replace("10.96.0.7", "10.96.0.8").replace("targetPort: web", "nodePort: 30001"), "node port 30001 is there twice"),
    ("selector-of-others", DEPLOYMENT.replace("labels: {app: web}", "labels: {app: wob}"), "line 10: Deployment default/web: spec.template.metadata.labels lacks app=web"),
    ("no-ports", SERVICE.partition("  ports:")[0], "Service default/s: spec.ports is missing or empty"),
    ("port-twice", SERVICE.rstrip() + "\n  - {name: again, port: 80}\n", "spec.ports[1].port is 80 (TCP) a second time"),
    ("bad-endpoint", SLICE.replace("10.2.1.5", "10.2.1"), "endpoints[0].addresses is '10.2.1', which is no address"),
    ("no-template", DEPLOYMENT.partition("  template")[0], "spec.template is missing"),
    ("range-too-small", NETWORK.replace("10.2.0.0/16", "10.2.0.0/24, SubnetLen: 24") + "---\n" + "---\n".join(NODE.replace("n1", n).replace("  podCIDR: 10.2.1.0/24\n", "  taints: []\n").replace(".11", f".1{n[1]}") for n in ("n1", "n2")), "Node n2: no /24 of 10.2.0.0/24 is free"),
    ("bad-type", NODE + "---\n" + SERVICE.replace("spec:", "spec:\n  type: NodePorts"), "spec.type is 'NodePorts'"),
    ("bad-backend", NODE + "---\n" + NETWORK.replace("10.2.0.0/16", "10.2.0.0/16, Backend: {Type: vxlam}"), "spec.flannel.Backend.Type is 'vxlam'"),
    ("two-networks", NODE + "---\n" + NETWORK + "---\n" + NETWORK, "a second time"),
    ("bad-mtu", NODE + "---\n" + NETWORK.replace("underlay: {", "underlay: {mtu: 20, "), "spec.underlay.mtu is 20"),
    ("node-is-the-router", NODE.replace("172.16.0.11", "172.16.0.1"), "where the router would stand"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_refused(tmp_path, text, says):
    with pytest.raises(BadManifest) as caught:
        read(tmp_path, text)
    assert says in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.json", b'{"a": ', "this is not JSON"),
        ("x.yaml", b"\xff\xfe\x00", "not UTF-8"),
        ("x.yaml", b"a: \x00", "this is not YAML"),
        ("x.yaml", b"a: &a [*a]", "this is not YAML"),
        ("x.yaml", b"", "There is no object in "),
        ("x.yaml", b"a: !!python/object:os.system {}", "this is not YAML"),
    ],
    ids=["json", "not-utf8", "nul", "recursive", "empty", "python-tag"],
)
def test_unreadable_files(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadManifest, match=says):
        read_manifests(tmp_path / name)


def test_folders_in_a_folder_are_named(tmp_path):
    """As `kubectl apply -f` without -R: an overlay would give every object twice."""
    for folder in ("base", "overlay", "pictures"):
        (tmp_path / folder).mkdir()
    for file in ("base/a.yaml", "overlay/a.yaml", "pictures/a.png"):
        (tmp_path / file).write_text(NODE, encoding="utf-8")
    with pytest.raises(
        BadManifest, match=f"no manifest in this folder.* Or name {tmp_path / 'base'}"
    ):
        read_manifests(tmp_path)
    (tmp_path / "values.yaml").write_text("replicas: 3\n", encoding="utf-8")
    (tmp_path / "n.yaml").write_text(NODE, encoding="utf-8")
    with pytest.warns(
        PassedOver, match=r"values\.yaml; the folder .*base; the folder .*overlay\.$"
    ):
        assert len(read_manifests(tmp_path).nodes) == 1


def test_unreadable_paths(tmp_path):
    for path, says in ((tmp_path, "no manifest in this folder"), (tmp_path / "x", "No such file")):
        with pytest.raises(BadManifest, match=says):
            read_manifests(path)
    with pytest.raises(BadManifest, match="No manifest was named"):
        read_manifests()


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadManifest, match="Cannot write"):
        write_manifests(example_spec(), tmp_path / "file")


def test_writing_a_spec_that_contradicts_itself(tmp_path):
    spec = example_spec()
    with pytest.raises(BadManifest, match="unknown node 'node1'"):
        write_manifests(spec._replace(nodes=spec.nodes[1:]), tmp_path)
    with pytest.raises(BadManifest, match="unknown endpoint 'backend'"):
        write_manifests(spec._replace(pods=spec.pods[:2]), tmp_path)


def test_flannel_s_own_settings_come_back_as_they_were_written(tmp_path):
    """Limits, the backend's options, the daemon's command line, where the leases are."""
    spec = example_spec("vxlan", flanneld="--ip-masq=false --iface=eth0")
    network = spec.network._replace(
        subnet_len=24, subnet_min="10.1.15.0", subnet_max="10.1.30.0", subnet_manager="kube",
        backend_options=(("Port", 4789), ("VNI", 7), ("DirectRouting", True)),
    )  # fmt: skip
    spec = spec._replace(network=network)
    write_manifests(spec, tmp_path)
    assert read_manifests(tmp_path) == spec
    assert "flannel.7" in Cluster.from_manifests(str(tmp_path))["node1"].devices
