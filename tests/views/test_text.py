"""Names are added to addresses, once, and only where nobody said them."""

from __future__ import annotations

import pytest

from k8snetlib.trace import Names
from k8snetlib.views.text import decider, packet_title, place_words
from k8snetlib.words import annotate, owner_words

NAMES = Names(
    {"02:42:0a:01:14:03": "backend:eth0", "00:00:00:00:00:00": "node1:flannel0"},
    {
        "10.1.20.3": "backend",
        "10.1.20.4": "backend-b",
        "10.1.20.1": "node2 docker0",
        "10.1.20.0": "node2 flannel0",
        "192.168.66.12": "node2",
    },
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("to 10.1.20.3", "to 10.1.20.3 (backend)"),
        ("to 10.1.20.3, then", "to 10.1.20.3 (backend), then"),
        ("from 10.1.20.3:8080 on", "from 10.1.20.3:8080 (backend) on"),
        ("10.1.20.3 and 10.1.20.3", "10.1.20.3 (backend) and 10.1.20.3"),
        ("10.1.20.3 (backend)", "10.1.20.3 (backend)"),
        ("backend sends from 10.1.20.3", "backend sends from 10.1.20.3"),
        ("backend-b sends to 10.1.20.3", "backend-b sends to 10.1.20.3 (backend)"),
        ("asks 10.1.20.1.", "asks 10.1.20.1 (docker0 of node2)."),
        ("in 10.1.20.0/24, by 192.168.66.12:", "in 10.1.20.0/24, by 192.168.66.12 (node2):"),
        ("route '10.1.20.0/24 via 192.168.66.12'", "route '10.1.20.0/24 via 192.168.66.12'"),
        ("at 02:42:0a:01:14:03", "at 02:42:0a:01:14:03 (eth0 of backend)"),
        ("at 00:00:00:00:00:00", "at 00:00:00:00:00:00"),
        ("10.9.9.9 is nobody's", "10.9.9.9 is nobody's"),
        ("it isn't 10.1.20.3, isn't it", "it isn't 10.1.20.3 (backend), isn't it"),
    ],
    ids=[
        *("plain", "comma", "port", "once", "has its name", "owner said", "longer name said"),
        *("device", "subnet", "quoted", "mac", "zero", "unknown", "apostrophe"),
    ],
)
def test_annotate(text, named):
    assert annotate(text, NAMES) == named
    assert annotate(named, NAMES) == named, "naming twice must change nothing"


@pytest.mark.parametrize(
    ("owner", "words"),
    [("web2", "web2"), ("node1 docker0", "docker0 of node1"), ("web2:eth0", "eth0 of web2")],
)
def test_owner_words(owner, words):
    assert owner_words(owner) == words


@pytest.mark.parametrize(
    ("n", "title"),
    [
        (0, "ARP: who has 10.1.15.1 (docker0 of node1)? asks web2, to everybody"),
        (1, "ARP: 10.1.15.1 (docker0 of node1) is at docker0 of node1, to web2 alone"),
        (2, "TCP SYN: web2 to backend"),
        (5, "ARP: who has 10.1.20.3 (backend)? asks docker0 of node2, to everybody"),
        (7, "TCP SYN/ACK: backend to web2"),
        (8, "TCP ACK: web2 to backend"),
        (9, "TCP data: web2 to backend"),
    ],
)
def test_packet_title(exchange, n, title):
    assert packet_title(exchange.packets[n], exchange.names) == title


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("route", "route: default via 10.1.15.1 dev eth0"),
        ("tun", "device: flannel0 (tun, mtu 1472)"),
        ("flanneld", "lease: 10.1.20.0/24 -> 192.168.66.12"),
        ("forward", ""),
    ],
)
def test_decider(exchange, stage, said):
    step = next(step for step in exchange.request.steps if step.stage == stage)
    assert decider(step) == said


@pytest.mark.parametrize(
    ("host", "place", "words"),
    [
        ("node1", "docker0", "docker0 (bridge)"),
        ("node1", "flannel0", "flannel0 (TUN device)"),
        ("node1", "flanneld", "flanneld (process)"),
        ("node1", "ip", "IP routing"),
        ("web2", "ip", "IP stack"),
        ("web2", "web", "container web"),
        ("web2", "eth0", "eth0"),
    ],
)
def test_place_words(cluster, host, place, words):
    assert place_words(cluster.topology.host(host), place) == words
