"""Tempting wrong repairs are caught, and each finding names what went wrong."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.course.exercise import find_exercise
from k8snetlib.course.incidents.experts import expert_paths
from k8snetlib.course.incidents.items import Check, filled_in, named_cause, scene
from k8snetlib.course.incidents.repair import MOST_COMMANDS, only_looks, tried
from k8snetlib.course.incidents.show import incident
from k8snetlib.course.incidents.verdict import judged
from k8snetlib.course.notebook import run_answers
from k8snetlib.errors import BadCommand, UnknownName

EXPERT = "<expert>"
MASQ = "node1$ iptables -t nat -I POSTROUTING -j MASQUERADE"


def beliefs(found) -> tuple[str | None, str | None, str | None]:
    return tuple(
        part[0].belief if part else "" for part in (found.gone, found.clean, found.lasting)
    )


@pytest.mark.parametrize(
    ("fault_id", "script", "found"),
    [
        ("overlay-port", "{node}$ iptables -D INPUT -p udp --dport {port} -j DROP",
         ("HALF_REPAIRED", "", "")),
        ("overlay-port", "{node}$ iptables -F INPUT\n{other}$ iptables -F INPUT",
         ("", "FLUSHED", "")),
        ("overlay-port", f"{EXPERT}\n{MASQ}", ("", "MASQ_HIDES", "")),
        ("overlay-port", "node1$ systemctl restart flanneld\nnode2$ systemctl restart flanneld",
         ("NO_REPAIR", None, None)),
        ("overlay-port", f"{EXPERT}\nnode1$ systemctl stop kube-proxy", ("", "DAEMON_OFF", "")),
        ("overlay-port", f"{EXPERT}\nnode1$ kubectl delete svc empty-svc",
         ("", "CHANGED_OTHERS", "")),
        ("overlay-port", f"{EXPERT}\nnode1$ kubectl delete pod web1", ("", "CHANGED_OTHERS", "")),
        ("overlay-port", f"{EXPERT}\nnode1$ iptables -I FORWARD -d 203.0.113.0/24 -j DROP",
         ("", "BROKE_OTHERS", "")),
        ("forward-drop", "{node}$ iptables -P FORWARD ACCEPT\n{other}$ iptables -P FORWARD ACCEPT",
         ("", "FLUSHED", "")),
        ("forward-drop",
         "{node}$ iptables -A FORWARD -s 10.1.0.0/16 -j ACCEPT\n"
         "{node}$ iptables -A FORWARD -d 10.1.0.0/16 -j ACCEPT\n"
         "{other}$ iptables -A FORWARD -s 10.1.0.0/16 -j ACCEPT\n"
         "{other}$ iptables -A FORWARD -d 10.1.0.0/16 -j ACCEPT", ("", "", "")),
        ("forward-drop",
         "{node}$ iptables -A KUBE-FORWARD -s 10.1.0.0/16 -j ACCEPT\n"
         "{node}$ iptables -A KUBE-FORWARD -d 10.1.0.0/16 -j ACCEPT\n"
         "{other}$ iptables -A KUBE-FORWARD -s 10.1.0.0/16 -j ACCEPT\n"
         "{other}$ iptables -A KUBE-FORWARD -d 10.1.0.0/16 -j ACCEPT", ("", "", "RUNTIME_ONLY")),
        ("vtep-mac", "{node}$ ip link set flannel.1 address 0e:f1:0a:01:14:00",
         ("NO_REPAIR", None, None)),
        ("docker-masquerade", "{node}$ iptables -t nat -F\n{other}$ iptables -t nat -F",
         ("", "FLUSHED", "")),
        ("no-masquerade", "{node}$ iptables -t nat -A POSTROUTING -j MASQUERADE\n"
                          "{other}$ iptables -t nat -A POSTROUTING -j MASQUERADE",
         ("", "MASQ_HIDES", "")),
        ("selector", "node1$ kubectl label pod backend backend-b backend-c app={wrong} --overwrite",
         ("", "CHANGED_OTHERS", "")),
        ("bridge-nf", MASQ.replace("node1", "{node}"), ("", "MASQ_HIDES", "")),
        ("etcd-cut", "{node}$ systemctl restart flanneld", ("NO_REPAIR", None, None)),
        ("dns-first", "{node}$ systemctl restart flanneld", ("NO_REPAIR", None, None)),
        ("no-masquerade", "router$ ip route add 10.1.0.0/16 via {nodeip}",
         ("HALF_REPAIRED", "BROKE_OTHERS", "")),
        ("conntrack-full", "{node}$ sed -i s/{limit}/9999/ /var/lib/kube-proxy/config.conf",
         ("FILE_UNREAD", None, None)),
        ("conntrack-full", "{node}$ sysctl -w net.netfilter.nf_conntrack_max=9999\n"
                           "{node}$ systemctl restart kube-proxy", ("RUNTIME_ONLY", None, None)),
        ("localhost-node-port", EXPERT.join(["", "\n"]) + "{node}$ systemctl stop kube-proxy",
         ("", "DAEMON_OFF", "")),
        ("leaked-addresses", f"{EXPERT}\n{{node}}$ rm {{living}}", ("", "CHANGED_OTHERS", "")),
        ("leaked-addresses", "{node}$ rm {first}\n{node}$ systemctl restart kubelet",
         ("HALF_REPAIRED", "", "")),
    ],
)  # fmt: skip
def test_a_repair_is_judged(fault_id, script, found):
    shown = scene(fault_id)
    text = filled_in(script.replace(EXPERT, expert_paths()[fault_id]), shown)
    verdict = judged(shown, text)
    assert verdict.repair is not None and not verdict.repair.refused, verdict.repair
    assert beliefs(verdict) == found, verdict


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        ("ip route", True), ("ip -br addr show docker0", True), ("ip route get 10.1.1.1", True),
        ("ip route del default", False), ("ip r a 10.9.0.0/16 via 10.1.1.1", False),
        ("iptables -t nat -S", True), ("iptables -S FORWARD", True), ("iptables -F", False),
        ("iptables -I INPUT -j DROP", False), ("kubectl get pods -o wide", True),
        ("kubectl -n kube-system get svc", True), ("kubectl delete pod x", False),
        ("kubectl exec web1 -- ping -c 9 10.1.1.1", True), ("ping -c 100000 10.1.1.1", True),
        ("sysctl net.ipv4.ip_forward", True), ("sysctl -w net.ipv4.ip_forward=1", False),
        ("ip route; ip route del default", False), ("systemctl status flanneld", True),
        ("systemctl restart flanneld", False), ("etcdctl get --prefix /", True),
        ("etcdctl del /a", False), ("tee /etc/x <<EOF\nping\nEOF", False),
        ("bridge fdb show", True), ("bridge link set dev v hairpin on", False),
        ("conntrack -L", True), ("conntrack -D -p udp", False), ("cat /etc/hosts", True),
    ],
)  # fmt: skip
def test_what_only_looks_is_known(command, looks):
    assert only_looks(command) is looks


def test_what_is_refused_is_told():
    shown = scene("overlay-port")
    found = judged(
        shown, "node1$ iptables -D INPUT -p udp --dport 1 -j DROP\nnode9$ ip link set a up"
    )
    assert found.repair is not None and len(found.repair.refused) == 2
    assert "Refused was 'node1$ iptables -D INPUT" in found.gone[0].text
    assert "2 commands were refused" in found.gone[0].text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ip route", "The script cannot be typed: Line 1 of the script names no machine"),
        ("node1$ ip link set lo up\n" * (MOST_COMMANDS + 1), "changes something 121 times"),
    ],
)
def test_a_text_that_is_no_script(script, said):
    found = judged(scene("overlay-port"), script)
    assert said in found.gone[0].text and found.clean and found.lasting


def test_the_broken_cluster_is_left_alone():
    shown = scene("overlay-port")
    before = shown.broken["node1"].sh("iptables -S INPUT")
    tried(shown.broken, "node1$ iptables -F INPUT")
    assert shown.broken["node1"].sh("iptables -S INPUT") == before


@pytest.mark.parametrize(
    ("cause", "belief"),
    [
        ("overlay-port-blocked", None), (" Overlay_port_blocked", None), ("no-route", "OVERLAY_FW"),
        ("etcd-down", None), ("gremlins", None), (7, None),
    ],
)  # fmt: skip
def test_a_cause_is_judged(cause, belief):
    found = named_cause("overlay-port", cause)
    right = isinstance(cause, str) and "port" in cause.lower()
    assert (not found) is right
    if found:
        assert found[0].belief == belief


@pytest.mark.parametrize("cause", ["overlay-port-blocked", "no-route"])
def test_a_short_way_is_shown_to_who_has_done_all_of_it(cause):
    shown = scene("overlay-port")
    answer = {"cause": cause, "script": filled_in(expert_paths()["overlay-port"], shown)}
    check = Check("overlay-port", 1, "lasting", expert_paths()["overlay-port"])
    found = check(answer, 1)
    if cause == "no-route":
        assert found == (), "not before the cause is right"
    else:
        assert found[0].status == "pass"
        assert found[0].text == (
            "You changed something with 2 commands and looked with 0. A short way has 2."
        )
        assert "# a short way" in str(found[0].witness)


# -- what the learner sees ------------------------------------------------------------------------


def test_the_ticket_is_shown_and_the_prompt_is_over_the_broken_cluster(capsys):
    console = incident("04.blocked")
    printed = capsys.readouterr().out
    assert "Ticket: After the security update" in printed
    assert "overlay-port-blocked" in printed and "pod-mask" in printed
    assert isinstance(console.cluster, Cluster)
    assert not console.cluster.ping("backend-c", "web2").ok
    assert scene("overlay-port").broken is not console.cluster


@pytest.mark.parametrize(
    "commands",
    [
        ["ip route", "iptables -D INPUT -p udp --dport 8285 -j DROP"],
        ['kubectl patch svc backend-svc -p \'{"spec":{"type":"NodePort"}}\''],
        ['tee /etc/default/flanneld <<EOF\nFLANNELD_OPTIONS="--ip-masq"\nEOF'],
        ["sed -i 's/a\\/b/c/' /etc/default/flanneld"],
        ["ip route"],
    ],
    ids=["two", "quotes", "a here-document", "backslash", "looked only"],
)
def test_the_answer_cell_holds_what_was_typed(commands, capsys):
    console = incident("04.blocked")
    for command in commands:
        console.run(command, "node1")
    exercise = find_exercise("04.blocked")
    source = console.answer("overlay-port-blocked").text
    assert source.startswith("# answer: 04.blocked\nblocked = {\n")
    answer = run_answers(exercise, {"04.blocked": source})["04.blocked"]
    assert answer["cause"] == "overlay-port-blocked"
    steps = tried(scene("overlay-port").broken, answer["script"]).commands
    assert steps == tuple(("node1", c) for c in commands if not only_looks(c))


def test_names_that_are_not_there():
    with pytest.raises(UnknownName, match="cause"):
        incident("overlay-port").answer("gremlins")
    with pytest.raises(UnknownName):
        incident("04.nothing")
    with pytest.raises(UnknownName, match="is no incident"):
        incident("04.lookup")
    with pytest.raises(BadCommand):
        tried(scene("overlay-port").broken, "no machine")


def test_the_ticket_is_a_page():
    ticket = incident("overlay-port").ticket
    html = ticket._repr_mimebundle_()["text/html"]
    assert '<th scope="row"><code>pod-mask</code></th>' in html and "<caption>" in html
    source = incident("overlay-port").answer("pod-mask")._repr_mimebundle_()["text/html"]
    assert 'tabindex="0"' in source
