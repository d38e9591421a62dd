"""The k8snet command: what it prints, its exit status, and one line for every wrong use."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import k8snetlib
from k8snetlib import OUTCOMES, Cluster
from k8snetlib.cli import main
from k8snetlib.kube.api import example_spec
from k8snetlib.kube.manifests import read_manifests, write_manifests
from k8snetlib.stages import VERDICTS

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text(encoding="utf-8"))
CROSS = ("trace", "web2", "10.1.20.3:8080", "--sport", "40004")


def k8snet(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="k8snet")


def cross_node(**options):
    return Cluster.example().connect("web2", "10.1.20.3", port=8080, sport=40004, **options)


# -- trace ----------------------------------------------------------------------------------------


def test_story_is_plain_where_nobody_looks():
    ran = k8snet(*CROSS)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, f"{cross_node()}\n", "")


def test_frames_and_nothing_else():
    ran = k8snet(*CROSS, "--frames")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [str(frame) for frame in cross_node().capture()]


TO = [
    (("web2", "backend:8080"), 0),
    (("pod/web2", "default/backend:8080"), 0),
    (("web2", "backend:53", "--proto", "udp"), 0),
    (("web2", "backend", "--proto", "icmp"), 0),
    (("node1", "node2:10250"), 0),
    (("client", "ext:80"), 0),
    (("web1", "127.0.0.1:9000"), 0),
    (("web2", "backend:81"), 1),
    (("web2", "backend:81", "--proto", "udp"), 1),
    (("web2", "10.1.20.99:80"), 1),
    (("web2", "backend:8080", "--ttl", "1"), 1),
    (("web2", "backend:8080", "--ttl", "2"), 1),
    (("web2", "backend", "--proto", "icmp", "--payload", "100", "--sport", "7", "--no-df"), 0),
    (("web2", "backend:8080", "--endpoint", "backend", "--df", "--payload", "1"), 0),
    (("web2", "backend:8080", "--backend", "udp", "--proxy-mode", "none"), 0),
]


@pytest.mark.parametrize(("words", "status"), TO, ids=[" ".join(words) for words, _ in TO])
def test_exit_status(words, status):
    ran = k8snet("trace", *words)
    assert ran.exit_code == status, ran.output
    assert ran.stdout and not ran.stderr


@pytest.mark.parametrize(
    ("words", "lines", "status"),
    [
        (
            ("web2", "backend-svc:http"),
            [
                "  1/3  delivered    10.1.15.2 > 10.1.20.3:8080 at backend",
                "  1/3  delivered    10.1.15.2 > 10.1.20.4:8080 at backend-b",
                "  1/3  delivered    10.1.15.2 > 10.1.30.2:8080 at backend-c",
            ],
            0,
        ),
        (
            ("client", "node1:30081"),
            ["    1  dropped      192.168.66.100 > 192.168.66.11:30081 at node1"],
            1,
        ),
        (
            ("web2", "kube-dns:53", "--proto", "udp", "--proxy-mode", "nftables"),
            [
                "  1/2  delivered    10.1.15.2 > 10.1.20.3:53 at backend",
                "  1/2  delivered    10.1.15.2 > 10.1.30.2:53 at backend-c",
            ],
            0,
        ),
    ],
    ids=["thirds", "dropped", "nftables"],
)
def test_outcomes(words, lines, status):
    ran = k8snet("outcomes", *words)
    assert ran.stdout.splitlines() == lines, ran.output
    assert ran.exit_code == status


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (("--ttl", "9"), "ttl9"),
        (("--no-df",), r"ttl64(?! DF)"),
        (("--sport", "1234"), "10.1.15.2:1234>"),
        (("--payload", "100"), "len128"),
    ],
    ids=["ttl", "no-df", "sport", "payload"],
)
def test_pinned_values_are_on_the_wire(options, seen):
    ran = k8snet("trace", "web2", "backend:53", "--proto", "udp", "--frames", *options)
    first = next(line for line in ran.stdout.splitlines() if "10.1.20.3" in line)
    assert re.search(seen, first), first


def test_rules_tells_the_answer_step_by_step():
    ran = k8snet(*CROSS, "--rules")
    assert ran.exit_code == 0
    answer = ran.stdout.partition("The answer: ")[2]
    assert "backend (it begins here)" in answer
    assert re.search(r"(?m)^ +39 ✓ socket", answer)


# -- JSON -----------------------------------------------------------------------------------------

JSON = [
    ("web2", "10.1.20.3:8080"), ("web2", "backend:99"), ("web2", "10.1.20.99", "--proto", "icmp"),
    ("web2", "backend", "--proto", "icmp", "--ttl", "2"), ("switch", "backend", "--proto", "icmp"),
]  # fmt: skip


@pytest.mark.parametrize("words", JSON, ids=" ".join)
def test_json_obeys_the_schema(words):
    ran = k8snet("trace", *words, "--json")
    document = json.loads(ran.stdout)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(document)
    assert ran.exit_code == (0 if document["outcome"] == "delivered" else 1)


def test_json_is_the_exchange():
    assert json.loads(k8snet(*CROSS, "--json").stdout) == cross_node().to_dict()


def test_the_schema_knows_every_word():
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == set(OUTCOMES)
    assert set(SCHEMA["$defs"]["step"]["properties"]["verdict"]["enum"]) == set(VERDICTS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("reason"),
        lambda d: d.update(outcome="fine"),
        lambda d: d["request"]["hops"][0].update(device=""),
        lambda d: d["request"]["hops"][0]["steps"][0].pop("rules"),
        lambda d: d["packets"][0].update(frames=["nonsense"]),
    ],
    ids=["no-reason", "unknown-outcome", "empty-device", "no-rules", "no-capture-line"],
)
def test_the_schema_can_fail(spoil):
    document = json.loads(cross_node().to_json())
    spoil(document)
    assert not Draft202012Validator(SCHEMA).is_valid(document)


# -- files ----------------------------------------------------------------------------------------


def test_pcap(tmp_path):
    file = tmp_path / "walk.pcapng"
    ran = k8snet(*CROSS, "--frames", "--pcap", file)
    assert ran.exit_code == 0
    assert file.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    assert ran.stderr == f"{len(ran.stdout.splitlines())} packets written to {file}\n"


def test_pictures(tmp_path):
    page, svg, png = (tmp_path / name for name in ("walk.html", "walk.svg", "walk.png"))
    ran = k8snet(*CROSS, "--frames", "--html", page, "--svg", svg, "--png", png)
    assert ran.exit_code == 0
    assert ran.stderr == f"The step player is in {page}\nThe picture is in {svg} and {png}\n"
    assert "k8snet-player" in page.read_text("utf-8")
    assert "2 reply: TCP SYN/ACK" in svg.read_text("utf-8")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_example_and_manifests(tmp_path):
    folder = tmp_path / "cluster"
    ran = k8snet("example", "--out", folder)
    assert ran.exit_code == 0
    assert sorted(ran.stdout.split()) == sorted(map(str, folder.iterdir()))
    assert read_manifests(folder) == example_spec()
    walk = k8snet(*CROSS, "--manifests", folder, "--frames")
    assert walk.stdout == k8snet(*CROSS, "--frames").stdout
    assert k8snet("sh", "node1", "hostname", "--manifests", folder).stdout == "node1\n"
    again = k8snet("example", "--out", folder, "--force", "--backend", "host-gw")
    assert again.exit_code == 0
    assert read_manifests(folder).network.backend == "host-gw"


def test_several_manifests_and_what_is_passed_over(tmp_path):
    files = write_manifests(example_spec(), tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", encoding="utf-8")
    words = [word for file in (*files, other) for word in ("--manifests", file)]
    ran = k8snet(*CROSS, *words)
    assert ran.exit_code == 0
    assert ran.stderr == "k8snet: Passed over: ConfigMap default/c.\n"


# -- sh -------------------------------------------------------------------------------------------


def test_sh():
    ran = k8snet("sh", "pod/web2", "ip route", "ip link set eth0 down", "ip route", "hostname")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        "default via 10.1.15.1 dev eth0",
        "10.1.15.0/24 dev eth0 proto kernel scope link src 10.1.15.2",
        "web2",
    ]


# -- wrong use ------------------------------------------------------------------------------------

WRONG = [
    (("trce",), "Did you mean trace"),
    (("trace",), "Missing argument 'FROM'"),
    (("trace", "web2"), "TO[:PORT]"),
    (("trace", "web2", "a:1", "b"), "unexpected extra argument"),
    (("trace", "web2", "backend:8080", "--frame"), "--frames"),
    (("trace", "web2", "backend"), "tcp needs a destination port. Write backend:PORT"),
    (("trace", "web2", "backend:"), "needs a destination port"),
    (("trace", "web2", "backend", "--proto", "udp"), "udp needs a destination port"),
    (("trace", "web2", "backend:80", "--proto", "icmp"), "ICMP has no ports"),
    (("trace", "web2", ":80"), "no host before the colon"),
    (("trace", "web2", "backend:808080"), "out of range"),
    (("trace", "web2", "backend:http"), "'http' is not a port"),
    (("trace", "web2", "backend:-1"), "'-1' is not a port"),
    (("trace", "web2", "10.1.20.300:80"), "not an IPv4 address"),
    (("trace", "web2", "10.1.20:80"), "not an IPv4 address"),
    (("trace", "wbe2", "backend:80"), "Did you mean web2"),
    (("trace", "web2", "bakend:80"), "Did you mean backend"),
    (("trace", "web2", "backend:80", "--proto", "sctp"), "'sctp' is not one of"),
    (("trace", "web2", "backend:80", "--ttl", "0"), "TTL 0 is out of range"),
    (("trace", "web2", "backend:80", "--ttl", "256"), "TTL 256 is out of range"),
    (("trace", "web2", "backend:80", "--ttl", "many"), "not a valid integer"),
    (("trace", "web2", "backend:80", "--sport", "65536"), "Source port 65536"),
    (("trace", "web2", "backend:80", "--payload", "-1"), "-1 bytes is out of range"),
    (("trace", "web2", "backend:80", "--endpoint", "bakend"), "Did you mean backend"),
    (("trace", "web2", "backend:80", "--frames", "--json"), "exclude each other"),
    (("trace", "web2", "backend:80", "--backend", "ipip"), "'ipip' is not one of"),
    (("trace", "web2", "svc/backend-svc:htp"), "no port called 'htp'. It has: http"),
    (("trace", "web2", "backend:80", "--manifests", "/no/such"), "No such file"),
    (("trace", "web2", "backend:80", "--pcap", "/no/such/x.pcap"), "Cannot write"),
    (("trace", "web2", "backend:80", "--html", "/no/such/x.html"), "Cannot write"),
    (("trace", "web2", "backend:80", "--svg", "/no/such/x.svg"), "Cannot write"),
    (("sh", "node1"), "COMMAND"),
    (("sh", "node9", "ip route"), "Did you mean node"),
    (("sh", "node1", "ip rote"), 'Object "rote" is unknown'),
    (("sh", "node1", "ip route | cat"), "no '|'"),
    (("example",), "--out"),
    (("example", "--out", "/dev/null"), "is not a folder"),
    (("example", "--out", "/dev/null/x"), "Cannot"),
    (("example", "--out", "."), "is not empty"),
]


@pytest.mark.parametrize(("words", "says"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_use(words, says):
    ran = k8snet(*words)
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("k8snet: ") and ran.stderr.count("\n") == 1
    assert says in ran.stderr


BROKEN = [
    ("kind: [", "this is not YAML"),
    ("apiVersion: v1\nkind: Node\nmetadata: {name: n}\nspec: {}\nstatus: {addresses: []}\n", "document 1, line 5: Node n: status.addresses"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=["not-yaml", "no-address"])
def test_broken_manifest(tmp_path, text, says):
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    ran = k8snet("trace", "web2", "backend:80", "--manifests", file)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert str(file) in ran.stderr and says in ran.stderr and ran.stderr.count("\n") == 1


# -- help, version, lab ---------------------------------------------------------------------------


def test_version_and_help():
    assert k8snet("--version").stdout == f"k8snet, version {k8snetlib.__version__}\n"
    for command in main.commands:
        text = k8snet(command, "--help").stdout
        assert f"k8snet {command}" in text.partition("\n")[2], f"{command} --help has no example"
    assert k8snet().stdout == k8snet("--help").stdout


def test_lab_without_jupyterlab(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ran = k8snet("lab")
    assert ran.exit_code == 2
    assert (
        ran.stderr
        == "k8snet: JupyterLab is not installed here. Install it with: pip install 'k8snetlib[lab]'\n"
    )


@pytest.fixture
def started(monkeypatch):
    """What `k8snet lab` would have run."""
    calls = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    class Started:
        def __init__(self, command, cwd):
            calls.append((command, cwd))
            self.interrupted = False

        def wait(self):
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return 0

    monkeypatch.setattr(subprocess, "Popen", Started)
    return calls


def test_lab_in_a_checkout(started, monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert k8snet("lab", "--no-browser", "--port", "8899").exit_code == 0
    [(command, folder)] = started
    assert folder == tmp_path
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[-4:] == ["--no-browser", "--port", "8899", "notebooks/00_start_here.ipynb"]


def test_lab_copies_the_course_once(started, monkeypatch, tmp_path):
    package = tmp_path / "site" / "k8snetlib"
    shipped = package / "course" / "material" / "notebooks"
    shipped.mkdir(parents=True)
    (shipped / "00_start_here.ipynb").write_text("new", encoding="utf-8")
    monkeypatch.setattr(k8snetlib, "__file__", str(package / "__init__.py"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    copied = tmp_path / "home" / "k8snet-course" / "notebooks" / "00_start_here.ipynb"
    assert k8snet("lab").exit_code == 0
    assert copied.read_text(encoding="utf-8") == "new"
    copied.write_text("mine", encoding="utf-8")
    assert k8snet("lab").exit_code == 0
    assert copied.read_text(encoding="utf-8") == "mine"


def test_lab_without_a_course(started, monkeypatch, tmp_path):
    monkeypatch.setattr(k8snetlib, "__file__", str(tmp_path / "k8snetlib" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    ran = k8snet("lab")
    assert ran.exit_code == 2 and "The notebooks are not here" in ran.stderr
    assert not started


# -- as a process ---------------------------------------------------------------------------------


def process(*words, **environment):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-m", "k8snetlib", *words], capture_output=True, text=True, timeout=60,
        env={**kept, "PYTHONPATH": str(ROOT), **environment}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (CROSS, 0),
        (("trace", "web2", "backend:99"), 1),
        (("trace", "web2"), 2),
        (("sh", "x", "y"), 2),
    ],
    ids=["delivered", "refused", "usage", "unknown"],
)
def test_a_real_process(words, status):
    ran = process(*words)
    assert ran.returncode == status
    assert "Traceback" not in ran.stderr
    assert bool(ran.stdout) == (status < 2)
    assert "\x1b" not in ran.stdout


def test_colour_only_adds_colour():
    plain, bright = process(*CROSS), process(*CROSS, FORCE_COLOR="1", TERM="xterm")
    assert "\x1b[" in bright.stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", bright.stdout) == plain.stdout
    assert process(*CROSS, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout == plain.stdout


def test_a_terminal_without_arrows():
    ran = process(*CROSS, PYTHONIOENCODING="latin-1")
    assert ran.returncode == 0 and "web2 ? 10.1.20.3 (backend)" in ran.stdout
