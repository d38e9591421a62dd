"""kubectl's writing verbs, and what follows from them: pods, endpoints, packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.kube.api import Pod, Service, Workload
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.kubectl.patch import merged

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: x, ports: [{containerPort: 8080, name: web}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {type: NodePort, selector: {app: api}, ports: [{name: http, port: 80, targetPort: web}]}
"""


@pytest.fixture(scope="module")
def made() -> Cluster:
    cluster = Cluster.example("vxlan")
    cluster.kubectl("apply -f -", stdin=APP)
    return cluster


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    return made.clone()


def names(cluster: Cluster, kind: str = "pods") -> list[str]:
    return cluster.kubectl(f"get {kind} -o name -l app=api").splitlines()


# -- apply ----------------------------------------------------------------------------------------


def test_what_is_applied_works(cluster: Cluster) -> None:
    assert len(names(cluster)) == 2
    assert cluster.kubectl("get svc api --no-headers").split()[:5] == [
        "api", "NodePort", "10.96.1.1", "<none>", "80:30086/TCP"
    ]  # fmt: skip
    assert cluster["web2"].sh("curl -s http://api/").startswith("I am api-")
    assert cluster.connect("client", "192.168.66.12", 30086).ok


def test_applying_again_changes_nothing_or_what_differs(cluster: Cluster) -> None:
    said = cluster.kubectl("apply -f -", stdin=APP).splitlines()
    assert said == ["deployment.apps/api unchanged", "service/api unchanged"]
    said = cluster.kubectl(
        "apply -f -", stdin=APP.replace("replicas: 2", "replicas: 3")
    ).splitlines()
    assert said == ["deployment.apps/api configured", "service/api unchanged"]
    assert len(names(cluster)) == 3
    cluster.kubectl("delete svc api")
    assert cluster.kubectl("apply -f -", stdin=APP).endswith("service/api created")


def test_apply_from_a_here_document_a_file_and_a_folder(cluster: Cluster, tmp_path: Path) -> None:
    text = APP.replace("name: api}", "name: other}", 1).replace("app: api", "app: other")
    said = cluster["node1"].sh(f"kubectl apply -f - <<'EOF'\n{text}EOF\nhostname")
    assert said == "deployment.apps/other created\nservice/api configured\nnode1"
    cluster["node1"].files["/root/app.yaml"] = APP
    assert "service/api configured" in cluster["node1"].sh("kubectl apply -f /root/app.yaml")
    (tmp_path / "app.yaml").write_text(APP, encoding="utf-8")
    for path in (tmp_path / "app.yaml", tmp_path):
        assert "service/api unchanged" in cluster.kubectl(f"apply -f {path}")


def test_apply_into_another_namespace(cluster: Cluster) -> None:
    cluster.kubectl("apply -n shop -f -", stdin=APP)
    assert cluster.kubectl("get pods -n shop -o name").count("pod/api-") == 2
    assert cluster["web2"].sh("curl -s http://api.shop/").startswith("I am")


def test_dry_run(cluster: Cluster) -> None:
    said = cluster.kubectl(
        "apply --dry-run=server -f -", stdin=APP.replace("replicas: 2", "replicas: 9")
    )
    assert said.splitlines()[0] == "deployment.apps/api configured (server dry run)"
    assert len(names(cluster)) == 2


# -- patch ----------------------------------------------------------------------------------------

PATCHES = [
    ("svc backend-svc -p '{\"spec\":{\"selector\":{\"app\":\"web\"}}}'", "service/backend-svc patched",
     lambda api: api.get(Service, "default", "backend-svc").selector, (("app", "web"),)),
    ("svc api --type merge -p '{\"spec\":{\"selector\":{\"tier\":\"x\"}}}'", "service/api patched",
     lambda api: set(api.get(Service, "default", "api").selector), {("app", "api"), ("tier", "x")}),
    ("svc api --type merge -p '{\"spec\":{\"selector\":{\"app\":null,\"tier\":\"x\"}}}'",
     "service/api patched",
     lambda api: api.get(Service, "default", "api").selector, (("tier", "x"),)),
    ("svc api -p 'spec: {externalTrafficPolicy: Local}'", "service/api patched",
     lambda api: api.get(Service, "default", "api").external_traffic_policy, "Local"),
    ("svc api -p '{\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":9090}]}}'", "service/api patched",
     lambda api: [(p.name, p.target_port) for p in api.get(Service, "default", "api").ports],
     [("http", 9090)]),
    ("svc api --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/port\",\"value\":81}]'",
     "service/api patched", lambda api: api.get(Service, "default", "api").ports[0].port, 81),
    ("deploy api -p '{\"spec\":{\"replicas\":1}}'", "deployment.apps/api patched",
     lambda api: len([p for p in api.list(Pod) if p.name.startswith("api")]), 1),
    ("svc api -p '{\"spec\":{\"type\":\"NodePort\"}}'", "service/api patched (no change)",
     lambda api: api.get(Service, "default", "api").type, "NodePort"),
    ("svc api -p '{\"spec\":{\"type\":\"ClusterIP\",\"externalTrafficPolicy\":null}}'",
     "service/api patched",
     lambda api: api.get(Service, "default", "api").ports[0].node_port, 0),
    ("pod web1 --subresource=status -p "
     "'{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}'",
     "pod/web1 patched", lambda api: api.get(Pod, "default", "web1").ready, False),
    ("pod web1 -p '{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}'",
     "pod/web1 patched (no change)", lambda api: api.get(Pod, "default", "web1").ready, True),
    ("pod web1 -p '{\"metadata\":{\"labels\":{\"tier\":\"front\"}}}'", "pod/web1 patched",
     lambda api: dict(api.get(Pod, "default", "web1").labels), {"app": "web", "tier": "front"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "said", "look", "wanted"), PATCHES, ids=[p[0] for p in PATCHES]
)
def test_patch(cluster: Cluster, command: str, said: str, look, wanted) -> None:  # type: ignore[no-untyped-def]
    assert cluster.kubectl(f"patch {command}") == said
    assert look(api_server(cluster.network)) == wanted


def test_a_patched_selector_moves_packets(cluster: Cluster) -> None:
    """The lesson's case: a Service with a wrong selector has no endpoints, and is mended."""
    cluster.kubectl('patch svc api -p \'{"spec":{"selector":{"app":"ap"}}}\'')
    assert cluster.connect("web2", "10.96.1.1", 80).outcome == "rejected"
    line = [
        row for row in cluster.kubectl("describe svc api").splitlines() if row.startswith("Endp")
    ]
    assert line == ["Endpoints:"]
    cluster.kubectl('patch svc api -p \'{"spec":{"selector":{"app":"api"}}}\'')
    assert cluster.connect("web2", "10.96.1.1", 80).ok


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"ports": [{"port": 1, "x": 1}]}, {"ports": [{"port": 1, "y": 2}, {"port": 2}]},
         {"ports": [{"port": 1, "x": 1, "y": 2}, {"port": 2}]}),
        ({"ports": [{"port": 1}, {"port": 2}]}, {"ports": [{"port": 1, "$patch": "delete"}]},
         {"ports": [{"port": 2}]}),
        ({"selector": {"a": "1"}}, {"selector": {"b": "2"}}, {"selector": {"b": "2"}}),
    ],
)  # fmt: skip
def test_how_documents_are_merged(old, new, wanted) -> None:  # type: ignore[no-untyped-def]
    assert merged(old, new, whole={"selector"}, keys={"ports": "port"}) == wanted


# -- scale, label, delete, exec -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "count"), [("deploy/api", 4), ("deployment api", 0), ("deploy api", 2)]
)
def test_scale(cluster: Cluster, words: str, count: int) -> None:
    assert cluster.kubectl(f"scale {words} --replicas={count}") == "deployment.apps/api scaled"
    assert len(names(cluster)) == count
    assert len(cluster.network.netns) == 12 + count


def test_labels_decide_who_is_behind_a_service(cluster: Cluster) -> None:
    cluster.kubectl('patch svc api -p \'{"spec":{"ports":[{"port":80,"targetPort":80}]}}\'')
    assert cluster.kubectl("label pod web1 app=api --overwrite") == "pod/web1 labeled"
    assert "10.1.15.3" in cluster.kubectl("get endpointslices api-1")
    assert len(names(cluster)) == 3, "no template hash: the Deployment does not adopt it"
    assert cluster.kubectl("label pod web1 app-") == "pod/web1 unlabeled"
    assert "10.1.15.3" not in cluster.kubectl("get endpointslices api-1")
    assert cluster.kubectl("label node node1 zone=a") == "node/node1 labeled"
    assert cluster.kubectl("label node node1 zone=a") == "node/node1 not labeled"


def test_a_deleted_pod_is_gone_when_the_command_comes_back(cluster: Cluster) -> None:
    assert cluster.kubectl("delete pod web2") == 'pod "web2" deleted'
    assert "web2" not in cluster.network.netns and "web2" not in cluster.pods
    assert cluster.kubectl("delete pod web2 --ignore-not-found") == ""


@pytest.mark.parametrize(
    ("options", "elapsed", "there"),
    [
        ("--grace-period=30", 30.0, False),
        ("--grace-period=30 --wait=false", 0.0, True),
        ("--grace-period=0 --force", 0.0, False),
        ("", 0.0, False),
    ],
)
def test_deleting_a_pod_takes_its_time(
    cluster: Cluster, options: str, elapsed: float, there: bool
) -> None:
    began = cluster.network.now
    cluster.kubectl(f"delete pod web2 {options}")
    assert cluster.network.now - began == elapsed
    assert ("web2" in cluster.network.netns) == there
    if there:
        assert "Terminating" in cluster.kubectl("get pod web2")


def test_delete_what_was_applied(cluster: Cluster) -> None:
    said = cluster.kubectl("delete -f -", stdin=APP).splitlines()
    assert said == ['deployment.apps "api" deleted', 'service "api" deleted']
    assert not names(cluster) and not api_server(cluster.network).list(Workload)
    assert cluster.connect("web2", "10.96.1.1", 80).outcome != "delivered"
    assert cluster["web2"].sh("curl http://api/") == "curl: (6) Could not resolve host: api"


def test_exec(cluster: Cluster) -> None:
    assert cluster.kubectl("exec web1 -- hostname") == "web1"
    assert cluster.kubectl("exec -it pod/web1 -- ip -br addr show dev eth0").startswith("eth0")


REFUSED = [
    ("apply -f nope.yaml", "nope.yaml: No such file or directory", ""),
    ("apply", "must specify one of -f and -k", ""),
    ("patch svc api", "must specify --patch", ""),
    ("patch svc api -p '{'", "unable to parse", ""),
    ("patch svc api -p '{\"spec\":{\"clusterIP\":\"10.96.0.99\"}}'", "may not change once set", ""),
    ("patch svc api -p '{\"spec\":{\"type\":\"Foo\"}}'", 'The Service "api" is invalid', ""),
    ("patch svc api -p '{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080}]}}'",
     "provided port is already allocated", ""),
    ("patch pod web1 -p '{\"spec\":{\"nodeName\":\"node3\"}}'", "Forbidden: pod updates", ""),
    ("patch deploy api -p '{\"spec\":{\"selector\":{\"matchLabels\":{\"x\":\"y\"}}}}'", "is invalid", ""),
    ("patch svc api --type json -p '[{\"op\":\"remove\",\"path\":\"/spec/nope/x\"}]'",
     "does not fit", ""),
    ("scale deploy nope --replicas=1",
     'error: no objects passed to scale deployments.apps "nope" not found', "api"),
    ("scale deploy api", 'required flag(s) "replicas" not set', ""),
    ("scale pod web1 --replicas=2", "could not find the requested resource", ""),
    ("scale deploy api --replicas=2 --current-replicas=7", "Expected replicas to be 7, was 2", ""),
    ("label pod web1 app=x", "already has a value (web), and --overwrite is false", ""),
    ("label pod web1", "at least one label update is required", ""),
    ("delete pod", "no name was specified", ""),
    ("delete pod nope", '(NotFound): pods "nope" not found', ""),
    ("exec web1", "at least one command", ""),
]  # fmt: skip


@pytest.mark.parametrize(("command", "says", "hint"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_refused(cluster: Cluster, command: str, says: str, hint: str) -> None:
    before = api_server(cluster.network).revision
    with pytest.raises(BadCommand) as caught:
        cluster.kubectl(command)
    assert says in caught.value.message and hint in caught.value.hint
    assert api_server(cluster.network).revision == before


BAD = [
    ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}", 'no matches for kind "ConfigMap"'),
    ("apiVersion: v1\nmetadata: {name: x}", "kind not set"),
    ("kind: Pod\nmetadata: {name: x}", "apiVersion not set"),
    ("kind: Node\napiVersion: v1\nmetadata: {name: x}", "A Node is a machine"),
    ("kind: Service\napiVersion: v1\nmetadata: {name: x}\nspec: {ports: [{port: 0}]}",
     'The Service "x" is invalid'),
    ("kind: Service\napiVersion: v1\nmetadata: {name: x}\nspec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}",
     "provided IP is already allocated"),
    ("- 1", "must be a mapping"),
    ("a: [", "this is not YAML"),
    ("", "no objects passed to apply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), BAD, ids=[b[1] for b in BAD])
def test_manifests_that_cannot_be(cluster: Cluster, text: str, says: str) -> None:
    with pytest.raises(BadCommand, match=says):
        cluster.kubectl("apply -f -", stdin=text)
