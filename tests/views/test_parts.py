"""The cluster builder without a browser: what can be added and taken away, and what becomes of it."""

from __future__ import annotations

import pytest
import yaml

from k8snetlib import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.views import build


@pytest.fixture
def builder():
    return build(Cluster.example())


def sent(builder, source: str, target: str, port: int = 80) -> str:
    return builder.cluster.connect(source, target, port).outcome


def test_a_pod_where_it_was_asked_for(builder):
    said = builder.add_pod("late", 8080, "node3", "app=backend")
    assert said == "pod/late runs on node3 with 10.1.30.3, behind backend-svc."
    assert sent(builder, "web1", "late", 8080) == "delivered"
    assert sent(builder, "web1", "late", 80) == "refused", "nobody listens there"


def test_the_scheduler_chooses_the_emptiest_node(builder):
    assert builder.add_pod("late") == "pod/late runs on node3 with 10.1.30.3."
    assert builder.objects["pod/late"]["metadata"]["labels"] == {"app": "late"}


def test_a_service_and_a_pod_behind_it(builder):
    said = builder.add_service("web", "app=web", "80", "", "NodePort")
    assert said == (
        "service/web answers at 10.96.1.1:80, and at every node's port 30086; web1, web2 behind it."
    )
    assert sent(builder, "backend", "web") == "delivered"
    assert builder.add_pod("web3", labels="app=web").endswith(", behind web.")
    (found,) = [key for key in builder.objects if key.startswith("endpointslice/web")]
    addresses = [each["addresses"][0] for each in builder.objects[found]["endpoints"]]
    assert sorted(addresses) == ["10.1.15.2", "10.1.15.3", "10.1.30.3"]


def test_a_service_of_another_port(builder):
    builder.add_service("be", "app=backend", 9000, "8080")
    assert sent(builder, "web1", "be", 9000) == "delivered"


def test_a_service_waits_for_its_pods(builder):
    assert builder.add_service("shop", "app=shop").endswith("; no pod has these labels yet.")
    assert sent(builder, "web1", "shop") != "delivered"
    builder.add_pod("shop1", labels="app=shop")
    assert sent(builder, "web1", "shop") == "delivered"


def test_a_node_joins(builder):
    builder.add_pod("before", node="node1")
    said = builder.add_node()
    assert said == (
        "node4 joined with 192.168.66.14, its pods get addresses of 10.1.1.0/24; "
        "the cluster was built anew."
    )
    builder.add_pod("far", node="node4")
    for target in ("far", "before"):
        assert sent(builder, "web1", target) == "delivered"
    assert sent(builder, "far", "backend-svc") == "delivered"


def test_a_node_leaves_with_its_pods(builder):
    builder.add_node("extra")
    builder.add_pod("on-extra", node="extra")
    builder.add_service("s", "app=on-extra")
    said = builder.remove("node/extra")
    assert said == "extra left with its pods on-extra; the cluster was built anew."
    assert builder.cluster.nodes == ("node1", "node2", "node3")
    assert sent(builder, "web1", "s") != "delivered"
    builder.add_pod("on-extra")
    assert sent(builder, "web1", "s") == "delivered"


def test_a_pod_leaves_every_service(builder):
    builder.add_service("web", "app=web")
    builder.remove("pod/web1")
    builder.remove("pod/backend")  # behind Services that have no selector
    assert "web1" not in builder.cluster.pods
    assert "backend" not in builder.manifests["endpointslices.yaml"].replace("backend-", "")
    outcomes = {sent(builder, "web2", "backend-svc") for _ in range(12)}
    assert outcomes == {"delivered"}


def test_a_service_leaves_with_its_slices(builder):
    builder.add_service("web", "app=web")
    said = builder.remove("service/web")
    assert said == 'service "web" deleted.'
    assert not [key for key in builder.objects if "/web-" in key or key == "service/web"]
    assert builder.remove("service/kube-system/kube-dns") == 'service "kube-dns" deleted.'


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (lambda b: b.add_pod(""), "A pod needs a name."),
        (lambda b: b.add_pod("Web_1"), "'Web_1' is no name for a pod. Names have small letters, "),
        (lambda b: b.add_pod("web1"), "There is a pod called web1 already. Choose another name."),
        (lambda b: b.add_pod("node1"), "There is a node called node1 already."),
        (lambda b: b.add_pod("ext"), "There is a machine called ext already."),
        (lambda b: b.add_pod("p", "http"), "The port is a number from 1 to 65535, not 'http'."),
        (lambda b: b.add_pod("p", 70000), "The port is a number from 1 to 65535, not '70000'."),
        (lambda b: b.add_pod("p", node="node9"), "There is no node called 'node9'. Did you mean"),
        (lambda b: b.add_pod("p", labels="web"), "The labels cannot be 'web'. Write KEY=VALUE, as"),
        (lambda b: b.add_service("", "a=b"), "A Service needs a name."),
        (lambda b: b.add_service("1a", "a=b"), "A Service's name begins with a letter, and '1a'"),
        (lambda b: b.add_service("backend-svc", "a=b"), "There is a Service called backend-svc"),
        (lambda b: b.add_service("s", " "), "A Service finds its pods by labels. Give some, as in"),
        (lambda b: b.add_service("s", "a=b", 0), "The port is a number from 1 to 65535, not '0'."),
        (lambda b: b.add_service("s", "a=b", 80, "x"), "The target port is a number from 1 to"),
        (lambda b: b.add_service("s", "a=b", type="Ingress"), "There is no Service type 'Ingress'."),
        (lambda b: b.add_node("web1"), "There is a pod called web1 already."),
        (lambda b: b.add_node("switch"), "There is a switch called switch already."),
        (lambda b: b.remove("pod/web9"), "There is no object called 'pod/web9'. Did you mean"),
        (lambda b: b.remove("endpointslice/backend-svc-1"), "An EndpointSlice follows from its"),
    ],
    ids=[
        "no name", "bad name", "taken", "a node's name", "a machine's name", "no number",
        "too large", "unknown node", "no label", "Service without a name", "digit", "Service twice",
        "no selector", "port 0", "target port", "type", "node named as a pod", "node named switch",
        "unknown object", "slice",
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_changes_nothing(builder, wish, sentence):
    before = builder.manifests
    with pytest.raises(K8sNetError) as refused:
        wish(builder)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
    assert builder.manifests == before


def test_the_last_node_stays(builder):
    builder.remove("node/node2")
    builder.remove("node/node1")
    with pytest.raises(K8sNetError, match="node3 is the last node"):
        builder.remove("node/node3")


def test_the_manifests_build_the_same_cluster(builder, tmp_path):
    builder.add_node()
    builder.add_pod("late", node="node4", labels="app=web")
    builder.add_service("web", "app=web")
    builder.remove("pod/backend")
    for name, text in builder.manifests.items():
        (tmp_path / name).write_text(text)
    again = Cluster.from_manifests(str(tmp_path))
    assert again.spec == builder.cluster.spec
    assert again.connect("ext", "192.168.66.14", 80).outcome == sent(
        builder, "ext", "192.168.66.14"
    )


def test_reset(builder):
    before = builder.manifests
    builder.add_node()
    builder.add_pod("late")
    builder.reset()
    assert builder.manifests == before


# -- the browser's side, without a browser ----------------------------------------------------------


def test_messages_of_the_browser(builder):
    widget = builder.widget

    def data():
        return widget.get_state("data")["data"]

    pod = {"do": "pod", "name": " late ", "port": "80", "node": "node3", "labels": ""}
    widget.hear(pod)
    assert widget.answer == {
        "n": 1, "says": "pod/late runs on node3 with 10.1.30.3.", "refused": False,
        "made": ["pod/late"],
    }  # fmt: skip
    texts = dict(map(tuple, data()["objects"]))
    assert yaml.safe_load(texts["pod/late"])["spec"]["nodeName"] == "node3"
    assert ">late<" in data()["picture"]
    widget.hear(pod)
    assert widget.answer["refused"] and widget.answer["says"].startswith("There is a pod called")
    widget.hear({"do": "service", "name": "s", "selector": "app=late", "port": "80",
                 "target_port": "", "type": "ClusterIP"})  # fmt: skip
    assert widget.answer["made"][0] == "service/s"
    widget.hear({"do": "node", "name": ""})
    assert data()["nodes"] == ["node1", "node2", "node3", "node4"]
    widget.hear({"do": "remove", "what": "pod/late"})
    assert "pod/late" not in dict(map(tuple, data()["objects"]))
    widget.hear({"do": "reset"})
    assert (data()["nodes"], widget.answer["n"]) == (["node1", "node2", "node3"], 6)


def test_without_widgets_there_are_picture_and_yaml(builder):
    shown = builder._repr_mimebundle_()
    bundle = shown[0] if isinstance(shown, tuple) else shown
    assert "<svg" in bundle["text/html"] and "kind: Service" in bundle["text/html"]
    assert "pod/web1" in bundle["text/plain"]
