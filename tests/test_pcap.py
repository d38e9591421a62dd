"""Capture files: their bytes, how they are written, and tshark as an independent reader."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadPacket, K8sNetError, UnknownName
from k8snetlib.packet import Packet
from k8snetlib.trace import NO_NAMES, Exchange, Frame, Trace
from k8snetlib.wire import encode, pcap_bytes, pcapng_bytes, write_pcap
from tests.conftest import require_tool
from tests.packets import DATAGRAM, EXAMPLES, fragments


def frame(
    name_or_packet: str | Packet, where: str = "node1:eth0", way: str = "out", time: float = 0.0
) -> Frame:
    packet = name_or_packet
    netns, device = where.split(":")
    found = EXAMPLES[packet] if isinstance(packet, str) else packet
    return Frame(netns, device, way, found, time, NO_NAMES)


#: A TCP SYN's way through flannel's udp backend, as tcpdump on every interface sees it.
WALK = [
    frame("tcp-syn", "web2:eth0"),
    frame("tcp-syn", "node1:docker0", "in"),
    frame("tun", "node1:flannel0"),
    frame("flannel-udp", "node1:eth0"),
    frame("flannel-udp", "node2:eth0", "in"),
    frame("tun", "node2:flannel0", "in"),
]

# --- bytes ---


def test_classic_header_and_records() -> None:
    data = pcap_bytes([frame("udp-empty", time=2.5), frame("arp-reply", time=2.5)], 1)
    udp, arp = encode(EXAMPLES["udp-empty"]), encode(EXAMPLES["arp-reply"])
    assert data == (
        bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")
        + struct.pack("<IIII", 2, 500_000, 42, 42)
        + udp
        + struct.pack("<IIII", 2, 500_001, 42, 42)
        + arp
    )


@pytest.mark.parametrize(
    ("times", "micros"),
    [
        ([0.0, 0.0, 0.0], [0, 1, 2]),
        ([1.0, 1.0, 1.0000005], [1_000_000, 1_000_001, 1_000_002]),
        ([0.0, 1.0, 0.0], [0, 1, 1_000_000]),
        ([0.1, 0.2, 0.3], [100_000, 200_000, 300_000]),
    ],
    ids=["one-instant", "closer-than-a-microsecond", "later-repetition", "apart"],
)
def test_time_stamps_rise(times: list[float], micros: list[int]) -> None:
    data = pcap_bytes([frame("udp-empty", time=t) for t in times], 1)
    stamps = [struct.unpack_from("<II", data, 24 + at * 58) for at in range(len(times))]
    assert [seconds * 1_000_000 + rest for seconds, rest in stamps] == micros


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def test_pcapng_blocks() -> None:
    data = blocks(pcapng_bytes([frame("tun", "node1:flannel0"), frame("vxlan", way="in")]))
    assert [kind for kind, _ in data] == [0x0A0D0D0A, 1, 1, 6, 6]
    assert data[0][1][:4].hex() == "4d3c2b1a"
    assert data[1][1][:2] == b"\x65\0", "a TUN is raw IP"
    assert b"node1:flannel0" in data[1][1]
    assert data[2][1][:2] == b"\x01\0"
    assert b"node1:eth0" in data[2][1]
    interface, _, low, captured, original = struct.unpack_from("<IIIII", data[4][1])
    assert (interface, low, captured, original) == (1, 1, 124, 124)
    options = data[4][1][20 + 124 :]
    assert options.startswith(b"\x01\0\x05\0TCP S\0\0\0")
    assert options.endswith(b"\x02\0\x04\0\x01\0\0\0" + b"\0\0\0\0")


def test_a_classic_file_holds_one_link_type() -> None:
    with pytest.raises(BadPacket, match="node1:flannel0 is raw IP"):
        pcap_bytes([frame("tcp-syn"), frame("tun", "node1:flannel0")], 1)


# --- files ---


@pytest.mark.parametrize(
    ("device", "count", "magic"),
    [
        ("node1:eth0", 1, "d4c3b2a1"),
        ("node1:flannel0", 1, "d4c3b2a1"),
        (None, 6, "0a0d0d0a"),
    ],
    ids=["ethernet", "tun", "all"],
)
def test_write(tmp_path: Path, device: str | None, count: int, magic: str) -> None:
    path = tmp_path / "walk.pcap"
    assert write_pcap(path, iter(WALK), device) == count
    assert path.read_bytes()[:4].hex() == magic
    assert os.listdir(tmp_path) == ["walk.pcap"]


def test_an_exchange_writes_its_capture(tmp_path: Path) -> None:
    trace = Trace(0, "TCP S", (), tuple(WALK))
    exchange = Exchange("web2", "backend", "tcp", "lost", "", (trace,), 0, None, 0.0, NO_NAMES)
    assert exchange.to_pcap(str(tmp_path / "walk.pcap"), device="web2:eth0") == 1


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_pcap(tmp_path / "walk.pcap", WALK)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "walk.pcap")}
    assert len(modes) == 1


def test_unknown_device(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        write_pcap(tmp_path / "walk.pcap", WALK, "node1:eth1")
    assert caught.value.message == "There is no device called 'node1:eth1'."
    assert "node1:eth0" in caught.value.hint
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/walk.pcap", "No such file or directory"),
        ("file/walk.pcap", "Not a directory"),
        ("folder", "it is a folder"),
    ],
)
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    with pytest.raises(K8sNetError) as caught:
        write_pcap(path, WALK)
    assert caught.value.message == f"Cannot write '{path}': {message}."
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_packet_without_bytes_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "walk.pcap"
    path.write_bytes(b"old")
    first = fragments(DATAGRAM, 1500)[0]
    orphan = Packet(*first.headers, payload=b"12345678")
    with pytest.raises(BadPacket):
        write_pcap(path, [frame(orphan)])
    assert path.read_bytes() == b"old"


def test_a_link_keeps_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_pcap(tmp_path / "link", WALK)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").is_file()


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_pcap(pipe, WALK)
    reader.join(10)
    assert read == [pcapng_bytes(WALK)]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


# --- tshark, an independent reader ---

CHECKS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
CHECKS += ["-o", "udp.check_checksum:TRUE", "-o", "ip.defragment:TRUE"]
CHECKS += ["--disable-protocol", "dns"]  # our examples' datagrams to port 53 hold other things
OVERLAYS = ["-d", "udp.port==8285,ip", "-d", "udp.port==8472,vxlan"]
WRONG = "_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 || "
WRONG += "udp.checksum.status==0 || icmp.checksum.status==0 || _ws.expert.severity==error"


def tshark(path: Path, *options: str) -> list[str]:
    command = [require_tool("tshark"), "-n", "-r", str(path), *CHECKS, *OVERLAYS, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.splitlines()


def columns(*names: str) -> list[str]:
    return ["-T", "fields", *(word for name in names for word in ("-e", name))]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each example on a device of its own kind, in one file."""
    path = tmp_path_factory.mktemp("tshark") / "all.pcapng"
    frames = [
        frame(packet, "node1:eth0" if packet.ethernet else "node1:flannel0", "in")
        for packet in EXAMPLES.values()
    ]
    assert write_pcap(path, frames) == len(EXAMPLES)
    return path


def test_tshark_finds_nothing_wrong(everything: Path) -> None:
    assert tshark(everything, "-Y", WRONG) == []
    assert len(tshark(everything)) == len(EXAMPLES)


def test_tshark_would_find_a_wrong_checksum(tmp_path: Path) -> None:
    path = tmp_path / "broken.pcapng"
    data = bytearray(pcapng_bytes([frame("flannel-udp")]))
    data[data.index(encode(EXAMPLES["flannel-udp"])) + 14 + 8] ^= 1  # outer TTL
    data[data.index(encode(EXAMPLES["tun"])) + 20 + 13] ^= 8  # inner TCP flags
    path.write_bytes(data)
    assert len(tshark(path, "-Y", "ip.checksum.status==0 && tcp.checksum.status==0")) == 1


#: The protocols that tshark sees in each example.
PROTOCOLS = {
    "tcp-syn": "eth:ethertype:ip:tcp",
    "udp-empty": "eth:ethertype:ip:udp",
    "arp-request": "eth:ethertype:arp",
    "tun": "raw:ip:tcp",
    "flannel-udp": "eth:ethertype:ip:udp:ip:tcp",
    "vxlan": "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp",
    "vxlan-checksum": "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp",
    "vxlan-arp": "eth:ethertype:ip:udp:vxlan:eth:ethertype:arp",
}


def test_tshark_sees_the_same_headers(everything: Path) -> None:
    seen = dict(zip(EXAMPLES, tshark(everything, *columns("frame.protocols")), strict=True))
    for name, expected in PROTOCOLS.items():
        assert seen[name] == expected, name


def test_tshark_puts_the_datagram_together(tmp_path: Path) -> None:
    path = tmp_path / "fragments.pcap"
    pieces = fragments(DATAGRAM, 1500)
    write_pcap(path, [frame(piece) for piece in pieces], "node1:eth0")
    names = columns("ip.reassembled.length", "udp.length", "udp.checksum.status")
    lines = tshark(path, *names)
    assert lines[-1].split("\t") == ["3080", "3080", "1"]
    assert len(lines) == len(pieces)


@pytest.mark.parametrize(
    ("device", "sources", "interface"),
    [
        ("node1:eth0", ["192.168.66.11,10.1.15.2"], "Ethernet"),
        ("node1:flannel0", ["10.1.15.2"], "Raw"),
        (None, ["10.1.15.2"] * 3 + ["192.168.66.11,10.1.15.2"] * 2 + ["10.1.15.2"], None),
    ],
    ids=["overlay", "tun", "all"],
)
def test_tshark_sees_the_addresses_inside(
    tmp_path: Path, device: str | None, sources: list[str], interface: str | None
) -> None:
    path = tmp_path / "walk.pcap"
    write_pcap(path, WALK, device)
    assert tshark(path, *columns("ip.src")) == sources
    assert tshark(path, "-Y", WRONG) == []
    if interface:
        assert interface in "".join(tshark(path, "-V"))


def test_tshark_sees_devices_directions_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "walk.pcapng"
    write_pcap(path, WALK)
    names = "frame.interface_name", "frame.packet_flags_direction", "frame.comment"
    rows = [line.split("\t") for line in tshark(path, *columns(*names))]
    ways = {"in": 1, "out": 2}
    assert [(row[0], int(row[1], 0), row[2]) for row in rows] == [
        (f"{f.netns}:{f.device}", ways[f.direction], "TCP S") for f in WALK
    ]


def test_an_empty_capture_is_a_file_too(tmp_path: Path) -> None:
    assert write_pcap(tmp_path / "empty.pcapng", []) == 0
    assert tshark(tmp_path / "empty.pcapng") == []


# --- what the model writes ---

MODEL = {
    "across nodes": lambda c: c.connect("web2", "backend", 8080),
    "same node": lambda c: c.ping("web2", "web1"),
    "udp": lambda c: c.send("web1", "backend-c", 53),
    "localhost": lambda c: c.connect("web1", "127.0.0.1", 9000),
    "closed port": lambda c: c.send("web2", "backend", 99),
    "nobody there": lambda c: c.ping("web2", "10.1.20.99"),
    "ttl exceeded": lambda c: c.ping("web2", "backend", ttl=4),
    "no lease": lambda c: c.connect("web2", "10.1.99.1", 80),
    "flanneld stopped": lambda c: (c.stop_flanneld("node2"), c.connect("web2", "backend", 8080))[1],
}


@pytest.mark.parametrize("walk", MODEL.values(), ids=MODEL)
def test_tshark_finds_nothing_wrong_in_any_walk_of_the_model(tmp_path: Path, walk: Any) -> None:
    exchange = walk(Cluster.example())
    whole = tmp_path / "walk.pcapng"
    count = exchange.to_pcap(str(whole))
    assert count == len(exchange.capture()) > 0
    assert tshark(whole, "-Y", WRONG) == []
    for device in sorted({f"{f.netns}:{f.device}" for f in exchange.capture()}):
        one = tmp_path / "one.pcap"
        assert exchange.to_pcap(str(one), device=device) > 0
        assert tshark(one, "-Y", WRONG) == []


def test_tshark_sees_the_article_s_packet_inside_the_node_s(tmp_path: Path) -> None:
    path = tmp_path / "eth0.pcap"
    Cluster.example().connect("web2", "backend", 8080).to_pcap(str(path), device="node1:eth0")
    seen = [line.split("\t") for line in tshark(path, "-Y", "tcp", *columns("ip.src", "ip.dst"))]
    assert seen[0] == ["192.168.66.11,10.1.15.2", "192.168.66.12,10.1.20.3"]
