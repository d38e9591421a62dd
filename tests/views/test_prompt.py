"""The prompt without a browser: what is typed, what is remembered, what the browser gets."""

from __future__ import annotations

import json

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand, UnknownName
from k8snetlib.views import prompt
from k8snetlib.views.console import read_script
from k8snetlib.views.prompt import SHOWN

DROP = "iptables -I FORWARD -j DROP"


@pytest.fixture
def console():
    return prompt(Cluster.example(), "node1")


def arrives(console) -> bool:
    return console.cluster.connect("web2", "10.1.20.3", 8080).ok


@pytest.mark.parametrize(
    ("machine", "command", "output"),
    [
        ("node1", DROP, ""),
        ("web1", "hostname -I", "10.1.15.3"),
        ("pod/web1", "hostname", "web1"),
        ("ext", "hostname -I", "203.0.113.10"),
        ("node2", "kubectl get nodes -o name", "node/node1\nnode/node2\nnode/node3"),
    ],
    ids=["a node, silent", "a pod", "a pod by another name", "a machine outside", "kubectl"],
)
def test_the_real_tools_output(console, machine, command, output):
    assert console.run(command, machine) == output
    name = machine.removeprefix("pod/")
    assert console.log == ((name, command, output, False, ""),)
    assert console.machine == name, "the next command is typed there too"


def test_what_is_typed_changes_the_cluster(console):
    assert arrives(console)
    console.run(DROP)
    assert not arrives(console)


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        ("ip rotue", 'Object "rotue" is unknown, try "ip help".', ""),
        ("iptable -L", "iptable: command not found.", "Did you mean iptables?"),
        ("ip route del 10.9.9.0/24", "RTNETLINK answers: No such process", ""),
        ("ip route | grep x", "This prompt has no '|'", "Ask for less"),
        ("echo 'a", "The command 'echo 'a' has an open quotation mark.", ""),
    ],
    ids=["the tool's words", "unknown command", "the kernel's words", "a pipe", "quotation mark"],
)
def test_what_is_refused_is_written_down(console, command, said, hint):
    console.run(command)
    (typed,) = console.log
    assert (typed.refused, typed.output[: len(said)]) == (True, said)
    assert hint in typed.hint
    assert console.commands == []


def test_history_keeps_no_twins_and_outlives_the_log(console):
    for command in ("ip a", "ip route", "ip route", "ip rotue", "clear", "  "):
        console.run(command)
    assert console.history == ("ip a", "ip route", "ip rotue", "clear")
    assert console.log == ()


def test_reset_puts_the_cluster_back_and_the_script_begins_anew(console):
    console.run(DROP)
    console.run("ip route", "node2")
    console.reset()
    assert arrives(console)
    assert (len(console.log), console.script(), console.commands) == (2, "", [])
    assert console.data["restored"]
    console.run(DROP, "node3")
    assert console.script() == f"node3$ {DROP}"
    assert [entry["fresh"] for entry in console.data["entries"]] == [False, False, True]
    assert "(The cluster was put back to how it was.)\nnode3$" in console.text()


def test_reset_leaves_a_machine_that_came_later(console):
    console.run("kubectl delete pod web1", "node1")
    console.cluster.restore(console.cluster)
    late = prompt(console.cluster, "web2")
    late._start.kubectl("delete pod web2")
    late.reset()
    assert late.machine == "node1"


def test_a_script_types_the_same_again(console):
    manifest = "kubectl apply -f - <<EOF\nkind: Pod\napiVersion: v1\nmetadata: {name: late}\nspec:\n  nodeName: node3\n\n  containers: [{name: web, image: x}]\nEOF"
    console.run(manifest, "node2")
    console.run("nonsense", "node3")
    console.run(DROP, "node1")
    assert console.script().splitlines() == [
        "node2$ kubectl apply -f - <<EOF", "> kind: Pod", "> apiVersion: v1",
        "> metadata: {name: late}", "> spec:", ">   nodeName: node3", "> ", ">   containers: [{name: web, image: x}]", "> EOF", "# node3$ nonsense", f"node1$ {DROP}",
    ]  # fmt: skip
    other = prompt(Cluster.example(), "web1")
    other.replay(console.script())
    assert other.commands == console.commands
    assert other.commands[1] == {"netns": "node1", "command": DROP}
    assert not arrives(other)
    assert other.cluster.pods == console.cluster.pods


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("node1$ ip route\nweb1$  ss -lnt", (("node1", "ip route"), ("web1", " ss -lnt"))),
        ("# why\n\nnode1# ip a\n", (("node1", "ip a"),)),
        ("default/web1$ ip a", (("default/web1", "ip a"),)),
        ("node1$", ()),
        ("", ()),
    ],
    ids=["two machines", "comments, and root's sign", "a namespace", "no command", "nothing"],
)
def test_scripts_are_read(text, steps):
    assert read_script(text) == steps


def test_a_bad_script_types_nothing(console):
    with pytest.raises(BadCommand, match=r"Line 2 of the script names no machine: 'ip route'"):
        console.replay(f"node1$ {DROP}\nip route")
    with pytest.raises(UnknownName, match="nod1"):
        console.replay(f"node1$ {DROP}\nnod1$ ip route")
    assert console.log == () and arrives(console)


def test_machines_come_and_go(console):
    before = console.machines
    assert before["Nodes"] == ("node1", "node2", "node3")
    assert before["Machines"] == ("ext", "client")
    console.run("kubectl delete pod web1")
    assert set(before["Pods"]) - set(console.machines["Pods"]) == {"web1"}
    with pytest.raises(UnknownName, match="web1"):
        console.run("ip a", "web1")


# -- the browser's side, without a browser ----------------------------------------------------------


@pytest.fixture
def widget(console, monkeypatch):
    """The live prompt; ``sent`` is what it sent after its beginning."""
    found = console.widget
    sent: list[dict] = []
    monkeypatch.setattr(found, "send", sent.append)
    return found, sent


def test_messages_of_the_browser(console, widget):
    found, sent = widget
    found.hear({"do": "run", "machine": "web1", "command": "hostname"})
    assert sent[-1]["entries"][-1]["output"] == "web1"
    assert found.answer == {"n": 1, "says": "", "refused": False}
    found.hear({"do": "run", "machine": "web9", "command": "hostname"})
    assert found.answer["says"].startswith("There is no pod, node or host called 'web9'.")
    assert sent[-1] == {"answer": found.answer} and found.answer["refused"]
    found.hear({"do": "clear"})
    assert (found.answer["n"], found.answer["says"], sent[-1]["entries"]) == (3, "", [])
    found.hear({"do": "run", "machine": "node1", "command": DROP})
    found.hear({"do": "nothing"})
    found.hear({"do": "reset"})
    assert arrives(console)
    assert found.get_state("data")["data"]["entries"][0]["n"] == 1, "numbers go on after clear"
    assert len(sent) == 5, "one message for each that was heard, none for a nudge"


def test_the_widget_hears_of_what_python_types(console, widget):
    console.run("hostname", "web1")
    console.run("hostname -I", "web2")
    first, second = widget[1]
    assert [entry["command"] for entry in first["entries"]] == ["hostname"]
    assert second["entries"]["gone"] == 0
    assert [entry["command"] for entry in second["entries"]["more"]] == ["hostname -I"]


def test_a_long_log_is_sent_once(console, widget):
    """Whatever lies in the log, the next command sends itself alone; all of it together is what a
    page that begins now gets."""
    found, sent = widget
    shown = found.get_state("data")["data"]
    for at in range(30):
        console.run("iptables-save" if at % 3 else "hostname")
        for key, value in sent[-1].items():
            more = isinstance(value, dict) and "more" in value
            shown[key] = shown[key][value["gone"] :] + value["more"] if more else value
        assert shown == found.get_state("data")["data"]
    assert shown["earlier"] > 0, "the oldest left meanwhile"
    assert len(json.dumps(sent[-3])) < 1000 < len(json.dumps(shown)) / 50


def test_the_browser_gets_the_end_of_a_long_log(console):
    lines = "x" * (SHOWN // 3)
    for at in range(5):
        console.run(f"ip {lines}{at}")
    shown = console.data
    assert 0 < len(shown["entries"]) < 5
    assert shown["earlier"] + len(shown["entries"]) == 5
    assert shown["entries"][-1]["n"] == 4
    assert not shown["cut"]
    console.run("ip " + "y" * 2 * SHOWN)
    assert (len(console.data["entries"]), console.data["earlier"]) == (1, 5)


def test_without_widgets_there_is_the_log(console):
    bundle = prompt(Cluster.example())._repr_mimebundle_()
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    assert bundle["text/plain"].startswith("A prompt on node1; nothing was typed yet. Machines:")
    assert "nothing was typed yet" in bundle["text/html"]
    console.run("hostname", "web1")
    console.run("<script>alert(1)</script>", "node1")
    assert console.text().startswith("web1$ hostname\nweb1\nnode1$ <script>alert(1)</script>\n")
    assert "<script>" not in console.html
    assert "web1$ hostname\nweb1\nnode1$ &lt;script&gt;" in console.html
    assert repr(console) == console.text()


def test_two_displays_are_one_prompt(console):
    first, second = (console._repr_mimebundle_() for _ in range(2))
    assert first == second
