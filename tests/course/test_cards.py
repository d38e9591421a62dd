"""Prediction cards: what they call right is what the model does; and how they react."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from k8snetlib import Cluster, Exchange
from k8snetlib.address import Prefix
from k8snetlib.course.prediction import Card, card, cards, predict
from k8snetlib.errors import K8sNetError, UnknownName
from k8snetlib.kube.api import example_spec
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.packet import Ethernet
from k8snetlib.reach import all_pairs
from tests.clusters import renumbered
from tests.course import proofs_08, proofs_09, proofs_10, proofs_11, proofs_12, proofs_13


def _masked() -> Cluster:
    cluster = Cluster.example()
    web2: Netns = cluster["web2"]
    web2.remove_address("eth0", "10.1.15.2/24")
    web2.add_address("eth0", "10.1.15.2/16")
    return cluster


def _visited() -> str:
    request = Cluster.example().ping("web2", "web1").request
    assert request is not None
    return ", ".join(dict.fromkeys(f.netns for f in request.frames))


def _ttl() -> str:
    request = Cluster.example().ping("web2", "web1").request
    assert request is not None
    return str(request.last.packet.ip.ttl)


def _who() -> str:
    request = Cluster.example().ping("web2", "web1").request
    assert request is not None
    (box,) = [s for h in request.hops if h.netns == "node1" for s in h.steps if s.by and
              s.stage == "bridge"]  # fmt: skip
    return box.device


def _mask() -> str:
    return ", ".join(trace.label for trace in _masked().ping("web2", "backend").packets)


def _first(device: str) -> Callable[[], str]:
    def find() -> str:
        request = Cluster.example().connect("web2", "backend", 8080).request
        assert request is not None
        frame = next(f for f in request.frames if f"{f.netns}:{f.device}" == device)
        return str(frame)

    return find


def _route() -> str:
    request = Cluster.example().connect("web2", "backend", 8080).request
    assert request is not None
    return next(str(s.by) for h in request.hops if h.netns == "node1" for s in h.steps
                if s.stage == "route")  # fmt: skip


def _stopped() -> str:
    cluster = Cluster.example()
    cluster.stop_flanneld("node1")
    request = cluster.connect("web2", "backend", 8080).request
    assert request is not None
    return request.end


def _peer() -> str:
    exchange = Cluster.example().connect("web2", "web1", 9000)
    assert exchange.request is not None
    return f"{exchange.outcome} by {exchange.request.end}"


def _clash() -> str:
    with pytest.raises(K8sNetError) as refused:
        listen(Cluster.example()["web1"], Listener("tcp", "0.0.0.0", 80, "web1-sidecar"))
    return str(refused.value)


MASQUERADE = "POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE"
DNAT = "PREROUTING -d 10.96.0.99 -p tcp --dport 80 -j DNAT --to-destination 10.1.20.3:8080"


def _ruled(*commands: str, backend: str = "host-gw") -> Cluster:
    cluster = Cluster.example(backend, flanneld="--iptables-forward-rules=false")
    for command in commands:
        cluster["node1"].sh(f"iptables {command}")
    return cluster


def _translated() -> Exchange:
    return _ruled(f"-t nat -A {DNAT}", f"-t nat -A {MASQUERADE}", "-A FORWARD -j ACCEPT").connect(
        "web2", "10.96.0.99", 80
    )


def _boxes(label: str) -> str:
    """The boxes of node1 that the first packet so labelled met, those without rules in brackets."""
    trace = next(trace for trace in _translated().packets if trace.label == label)
    steps = (s for hop in trace.hops if hop.netns == "node1" for s in hop.steps)
    return " ".join(s.stage if s.rules or " " not in s.stage else f"({s.stage})" for s in steps)


def _dnat() -> str:
    boxes = _boxes("TCP S")
    return f"before the route: {boxes.index('nat PREROUTING') < boxes.index('route')}"


def _second() -> str:
    boxes = _boxes("TCP A")
    return f"filter {'filter FORWARD' in boxes}, nat {'nat PREROUTING' in _plain(boxes)}"


def _plain(boxes: str) -> str:
    return re.sub(r"\([^)]*\)", "", boxes)


def _reply() -> str:
    reply = _translated().reply
    assert reply is not None
    nat = [s for s in reply.steps if s.stage.startswith("nat") and s.before is not None]
    assert not any(s.rules for s in nat)
    return nat[0].reason


def _forward() -> str:
    cluster = _ruled("-P FORWARD DROP")
    return ", ".join(cluster.ping("web2", to).outcome for to in ("node1", "web1", "backend"))


def _input() -> str:
    cluster = _ruled(f"-t nat -A {DNAT}", "-A INPUT -s 10.1.15.2 -j DROP")
    service = cluster.connect("web2", "10.96.0.99", 80)
    return f"{service.outcome}; node1 itself: {cluster.ping('web2', 'node1').outcome}"


def _masqueraded() -> str:
    request = (
        _ruled(f"-t nat -A {MASQUERADE}", backend="udp").connect("web2", "backend", 8080).request
    )
    assert request is not None
    return request.last.packet.ip.src


def _translations() -> str:
    cluster = Cluster.example()
    pairs = all_pairs(cluster, cluster.pods)
    assert len(pairs) == 20 and {pair.fate for pair in pairs} == {"reached"}
    return f"{sum(p.seen != cluster.address_of(p.sender) for p in pairs)} translated"


def _service_device() -> str:
    cluster = Cluster.example()
    net = cluster.spec.network.service_network
    return f"devices: {[ip for ip in cluster.names if net.contains(ip)]}"


def _moved() -> str:
    cluster = Cluster.example()
    cluster["backend"].sh("ip addr del 10.1.20.3/24 dev eth0")
    cluster["web1"].sh("ip addr add 10.1.20.3/24 dev eth0")
    ping = cluster.ping("backend-c", "10.1.20.3")
    assert ping.request is not None
    return f"{ping.outcome} at {ping.request.end}"


def _clashing() -> str:
    ping = renumbered().ping("backend-c", "backend")
    assert ping.request is not None
    return f"{ping.outcome}: {ping.request.end}"


def _inner_mac() -> str:
    request = Cluster.example("vxlan").connect("web2", "backend", 8080).request
    assert request is not None
    wrapped = next(f.packet for f in request.frames if f.packet.encapsulated)
    inner = [header for header in wrapped.headers if type(header) is Ethernet][1]
    return request.frames[0].names.mac(inner.dst)


def _payload() -> str:
    cluster = Cluster.example("vxlan")
    sizes = range(1415, 1475)
    return f"at most {max(n for n in sizes if cluster.ping('web2', 'backend', payload=n).ok)}"


def _black_hole() -> str:
    cluster = Cluster.example("vxlan")
    cluster["switch"].sh("ip link set p-node2 mtu 1400")
    assert cluster.ping("web2", "backend").ok
    hangs = cluster.connect("web2", "backend", 8080, payload=5000)
    labels = [trace.label for trace in hangs.packets]
    assert not any(label.startswith("ICMP") for label in labels)
    return f"connected: {'TCP SA' in labels}, {hangs.outcome}"


def _vtep() -> str:
    cluster = Cluster.example("vxlan")
    cluster.ping("web2", "backend")
    cluster["node2"].sh("ip link set flannel.1 address 0e:f1:0a:01:14:99")
    assert cluster.ping("node1", "node2").ok
    request = cluster.ping("web2", "backend").request
    assert request is not None
    told = [s for h in request.hops if h.netns == "node2" for s in h.steps]
    assert "take off the outer headers" in " ".join(s.reason for s in told)
    return f"{request.end}: {told[-1].verdict}"


def _router() -> str:
    cluster = Cluster.example("host-gw")
    node1: Netns = cluster["node1"]
    with pytest.raises(K8sNetError) as refused:
        node1.sh("ip route add 10.1.99.0/24 via 203.0.113.10")
    node1.sh("ip route add 10.1.99.0/24 via 192.168.66.1")
    request = cluster.ping("web2", "10.1.99.5").request
    assert request is not None
    return f"{refused.value} Or lost at the {request.end}"


def _watched() -> str:
    found = Cluster.example()["node1"].sh("etcdctl get --prefix --keys-only /coreos.com/network")
    return f"leases: {found.count('/subnets/')}, pods: {found.count('10.1.15.2')}"


def _without_etcd(hours: int, node: str = "") -> str:
    cluster = Cluster.example()
    if node:
        cluster.cut_from_etcd(node)
    else:
        cluster.stop_etcd()
    cluster.advance(f"{hours}h")
    return cluster.ping("web2", "backend").outcome


def _new_range() -> Cluster:
    cluster = Cluster.example("host-gw", seed=3)
    cluster["node1"].sh("systemctl stop flanneld; rm /run/flannel/subnet.env")
    cluster.advance("25h")
    cluster.start_flanneld("node1")
    return cluster


def _leased() -> str:
    lease = _new_range().flanneld("node1").lease
    assert lease is not None
    return "kept" if str(lease.subnet) == "10.1.15.0/24" else "another"


def _stale() -> str:
    cluster = Cluster.example("host-gw")
    for node in ("node1", "node2"):
        cluster.stop_flanneld(node)
    cluster["node3"].sh("etcdctl del /coreos.com/network/subnets/10.1.20.0-24")
    cluster.start_flanneld("node1")
    kept = [n for n in ("node1", "node3") if "10.1.20.0/24" in cluster[n].sh("ip route")]
    return f"kept by {', '.join(kept)}."


def _shared() -> str:
    cluster = Cluster.example("vxlan", flanneld="--ip-masq --iface=eth0 --public-ip=10.0.2.15")
    keys = cluster["node1"].sh("etcdctl get --prefix --keys-only /coreos.com/network/subnets")
    refused = Cluster.example("host-gw", flanneld="--iface=eth0 --public-ip=10.0.2.15")
    return (
        f"{len(keys.split())} lease; host-gw {refused['node1'].sh('systemctl is-active flanneld')}"
    )


def _disagree() -> str:
    spec = example_spec("vxlan", flanneld="--kube-subnet-mgr")
    network = spec.network._replace(pod_network=Prefix.parse("10.244.0.0/16"))
    cluster = Cluster(spec._replace(network=network))
    state = cluster["node1"].sh("systemctl is-active flanneld")
    return f"{state}: {cluster.ping('web2', 'backend').outcome}"


#: card -> (what the model does, what of it the right choice must say, what proves it)
PROOFS: dict[str, tuple[Callable[[], str], str, str]] = {
    "00-how-many": (_visited, "web2, node1 and web1", "web2, node1, web1"),
    "01-nat": (_translations, "For none", "0 translated"),
    "01-service": (_service_device, "None", "devices: []"),
    "01-move": (_moved, "No: it needs an address of node1's range", "unreachable at node2"),
    "01-clash": (_clashing, "web2 answers", "delivered: web2"),
    "02-localhost": (
        lambda: Cluster.example().connect("web1", "127.0.0.1", 9000).outcome,
        "sidecar answers",
        "delivered",
    ),
    "02-peer": (_peer, "refused, by web1", "refused by web1"),
    "02-clash": (_clash, "address already in use", "address already in use by web1"),
    "03-ttl": (_ttl, "64", "64"),
    "03-who": (_who, "docker0", "docker0"),
    "03-mask": (_mask, "asks by ARP for 10.1.20.3", "ARP who-has 10.1.20.3 tell 10.1.15.2"),
    "04-next-mac": (_first("web2:eth0"), "docker0's", "[web2:eth0>node1:docker0]"),
    "04-into-flannel0": (_route, "10.1.0.0/16 dev flannel0", "10.1.0.0/16 dev flannel0"),
    "04-source": (_first("backend:eth0"), "10.1.15.2", " 10.1.15.2:"),
    "04-stopped": (_stopped, "lost at the router", "router"),
    "04-masquerade": (_masqueraded, "10.1.15.0", "10.1.15.0"),
    "05-inner-mac": (_inner_mac, "flannel.1 on node2", "node2:flannel.1"),
    "05-payload": (_payload, "1422", "at most 1422"),
    "05-black-hole": (_black_hole, "connects, and then it hangs", "connected: True, lost"),
    "05-vtep": (_vtep, "unwraps the frame, and then ignores it", "node2: ignore"),
    "05-router": (_router, "No", "invalid gateway. 203.0.113.10 is on no link of node1"),
    "06-watch": (_watched, "lease of every node", "leases: 3, pods: 0"),
    "06-down": (lambda: _without_etcd(72), "Yes, even after three days", "delivered"),
    "06-cut": (lambda: _without_etcd(25, "node2"), "No: node2's lease expires", "lost"),
    "06-restart": (_leased, "Another range", "another"),
    "06-bridge": (
        lambda: _new_range()["node1"].sh("ip -br addr show docker0"),
        "10.1.15.0/24, as before",
        "10.1.15.1/24",
    ),
    "06-stale": (_stale, "No", "kept by node1."),
    "06-iface": (_shared, "One", "1 lease; host-gw activating"),
    "06-cidr": (_disagree, "No: flanneld does not start", "activating: lost"),
    "07-dnat": (_dnat, "Before node1 looks up the route", "before the route: True"),
    "07-second": (_second, "Only filter rules", "filter True, nat False"),
    "07-reply": (_reply, "turns the addresses back", "the connection's translation makes"),
    "07-forward": (_forward, "Only node1 itself", "delivered, dropped, dropped"),
    "07-input": (_input, "Yes", "delivered; node1 itself: dropped"),
    **proofs_08.PROOFS,
    **proofs_09.PROOFS,
    **proofs_10.PROOFS,
    **proofs_11.PROOFS,
    **proofs_12.PROOFS,
    **proofs_13.PROOFS,
}


@pytest.mark.parametrize("card_id", cards())
def test_the_right_choice_is_what_the_model_does(card_id: str) -> None:
    """Every card has a proof; the proof agrees with its right choice."""
    observe, says, proves = PROOFS[card_id]
    (right,) = [choice for choice in card(card_id).choices if choice.right]
    assert says in right.text
    assert proves in observe()


@pytest.mark.parametrize("shown", cards().values(), ids=lambda c: c.id)
def test_every_choice_has_a_reaction_of_its_own(shown: Card) -> None:
    """Two to four choices; sentences of at most twenty words."""
    assert 2 <= len(shown.choices) <= 4
    assert len({choice.reaction for choice in shown.choices}) == len(shown.choices)
    for choice in shown.choices:
        for sentence in (choice.text + " " + choice.reaction).replace("?", ".").split(". "):
            assert len(sentence.split()) <= 20, sentence
        if choice.right:
            assert not choice.belief


def test_the_widget_reacts_to_the_choice() -> None:
    """A click shows the reaction and marks the button; another click replaces it."""
    box = predict("03-ttl")
    question, *buttons, answer = box.children
    assert "Which TTL does web1 see?" in question.value
    assert "Not so" not in answer.value
    buttons[1].click()
    assert "<b>Not so.</b> Only a router takes one" in answer.value
    assert [b.icon for b in buttons] == ["", "times", ""]
    buttons[0].click()
    assert "<b>Right.</b> A bridge looks at MAC addresses only." in answer.value
    assert [b.icon for b in buttons] == ["check", "", ""]
    assert 'aria-live="polite"' in answer.value


def test_a_card_says_itself_in_words() -> None:
    """For GitHub, a PDF and nbval: no reaction is given away."""
    bundle = predict("03-ttl")._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Predict: web2 pings web1")
    assert "( ) 64" in bundle["text/plain"]
    assert "<li>64</li>" in bundle["text/html"]
    assert "Not so" not in bundle["text/html"]


def test_an_unknown_card_is_named() -> None:
    """With the nearest id."""
    with pytest.raises(UnknownName, match=r"03-tll.*Did you mean 03-ttl"):
        predict("03-tll")
