"""The tools for rules, connections and probes against the real ones.

Rules are typed in a namespace of our own and in the model's; then both are asked to print them. A
small routed network (client, router that masquerades, server) exists twice as well, and ping,
traceroute, curl and conntrack must say the same of it. What legitimately differs is made equal
first: milliseconds, random ports and identifiers, dates. tcpdump needs no namespace: the real one
reads the frames that the model wrote to a file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Netns
from k8snetlib.linux.network import Network
from k8snetlib.linux.sockets import Listener, listen
from k8snetlib.linux.tools import run
from tests.conftest import require_root, require_tool

pytestmark = pytest.mark.root

PREFIX = f"k8u{os.getpid()}-"
#: No name server answers in there: nobody shall wait for one.
ENVIRONMENT = {"RES_OPTIONS": "timeout:1 attempts:1", "LC_ALL": "C"}


def shell(ns, command, stdin=None):
    """(text printed, error printed) of a command in a namespace."""
    ran = subprocess.run(
        [require_tool("ip"), "netns", "exec", PREFIX + ns, "sh", "-c", command], input=stdin,
        capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip
    return ran.stdout, ran.stderr


def ip(*words):
    subprocess.run([require_tool("ip"), *words], check=True, capture_output=True, timeout=20)


def plain(text):
    """The lines without dates and blanks at their ends."""
    kept = (line for line in text.splitlines() if not line.startswith("# "))
    return "\n".join(line.rstrip() for line in kept).strip("\n")


# -- rules ----------------------------------------------------------------------------------------


@pytest.fixture
def rules():
    """A namespace without anything in it: the model's; the kernel's is called rules."""
    require_root()
    for tool in ("ip", "iptables", "iptables-save", "iptables-restore"):
        require_tool(tool)
    ip("netns", "add", PREFIX + "rules")
    try:
        network = Network()
        yield network.add(Netns("rules"))
    finally:
        ip("netns", "del", PREFIX + "rules")


RULES = """
iptables -N FOO
iptables -A FOO -s 10.0.0.0/8 -p tcp --dport 80 -m comment --comment "hello there" -j ACCEPT
iptables -A FOO -p tcp -m tcp ! --dport 80:90 --tcp-flags SYN,ACK SYN -j REJECT
iptables -A FOO ! -s 1.2.3.4 ! -i eth0 -o veth+ -m mark --mark 0x4000/0x4000 -j RETURN
iptables -A FOO -m mark ! --mark 5 -j MARK --set-xmark 0x4000/0x4000
iptables -A FOO -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FOO -m conntrack ! --ctstate DNAT,INVALID
iptables -A FOO -m conntrack --ctstatus ASSURED -j LOG --log-level 3
iptables -A FOO -m statistic --mode random --probability 0.3333 -j DROP
iptables -A FOO -m statistic --mode nth --every 3 --packet 0 -j DROP
iptables -A FOO -m addrtype --dst-type LOCAL
iptables -A FOO -m addrtype ! --src-type LOCAL --limit-iface-in
iptables -A FOO -p icmp --icmp-type 8 -j ACCEPT
iptables -A FOO -p icmp -m icmp ! --icmp-type echo-reply -j ACCEPT
iptables -A FOO -p icmp --icmp-type 3/4
iptables -A FOO -p icmp --icmp-type any
iptables -A FOO -p udp --dport 53 --sport 1024:65535
iptables -A FOO ! -p udp -d 10.1.15.2
iptables -A FOO -p tcp --syn --dport https
iptables -A FOO -p tcp -m multiport --dports 80,90:100 -j LOG --log-prefix "x y"
iptables -A FOO -p tcp -m multiport ! --ports 80,443
iptables -A FOO -m recent --name KUBE --rcheck --seconds 10800 --reap -j DROP
iptables -A FOO -m recent --name KUBE --set -j DROP
iptables -A FOO -m limit --limit 10/sec --limit-burst 7 -j DROP
iptables -A FOO -m physdev --physdev-is-bridged -j DROP
iptables -A FOO -m physdev --physdev-in eth0
iptables -A FOO -f -j DROP
iptables -A FOO -p 99 -j DROP
iptables -A FOO -m state --state NEW -j DROP
iptables -A FOO -m mark --mark 0x1 -j MARK --set-mark 5
iptables -A FOO -j MARK --or-mark 5
iptables -A FOO -j MARK --and-mark 5
iptables -A FOO -j MARK --xor-mark 5
iptables -A FOO -j MARK --set-xmark 5/7
iptables -A FOO -j REJECT --reject-with icmp-host-prohibited
iptables -A FOO -p tcp -j REJECT --reject-with tcp-reset
iptables -A INPUT -j FOO
iptables -A INPUT -g FOO
iptables -N BAR
iptables -I INPUT -j BAR
iptables -I INPUT 2 -s 10.1.15.2 -j BAR
iptables -R INPUT 2 -s 10.1.15.3 -j BAR
iptables -P FORWARD DROP
iptables -t nat -N EAST
iptables -t nat -A EAST -p tcp -j DNAT --to-destination 10.1.20.3:8080
iptables -t nat -A PREROUTING -j EAST
iptables -t nat -A POSTROUTING -s 10.1.15.0/24 ! -o docker0 -j MASQUERADE
iptables -t nat -A POSTROUTING -j MASQUERADE --random-fully
iptables -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1000-2000
iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source 1.2.3.4-1.2.3.9:5-9 --random
iptables -t nat -A PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4:80 --persistent
iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 80
iptables -t mangle -A PREROUTING -j MARK --set-mark 0x10
""".strip().splitlines()

SHOWN = [
    "iptables -S", "iptables -S FOO", "iptables -S FOO 2", "iptables -S -v", "iptables -S INPUT",
    "iptables -L", "iptables -L -n", "iptables -nvL", "iptables -L FOO -nvx --line-numbers",
    "iptables -nvL FOO 3", "iptables -L INPUT --line-numbers -n", "iptables -vL",
    "iptables -t nat -L", "iptables -tnat -nL", "iptables -t nat -S", "iptables -t mangle -S",
    "iptables -t raw -S", "iptables -t nat -nvL --line-numbers",
    "iptables-save", "iptables-save -t nat", "iptables-save -c", "iptables-save -t filter -c",
]  # fmt: skip


def both(model, command, where="rules"):
    ours = plain(model.sh(command))
    out, error = shell(where, command)
    assert ours == plain(out + error), command


def test_rules_are_printed_alike(rules):
    for command in RULES:
        both(rules, command)
    for command in SHOWN:
        both(rules, command)


CHANGES = [
    "iptables -D INPUT -g FOO", "iptables -D INPUT 1", "iptables -C INPUT -j FOO",
    "iptables -E BAR BAZ", "iptables -F INPUT", "iptables -X BAZ", "iptables -Z",
    "iptables -Z FOO", "iptables -P FORWARD ACCEPT", "iptables -F FOO", "iptables -X",
    "iptables -t nat -F", "iptables -t nat -X",
    "iptables --append OUTPUT --protocol tcp --destination-port 22 --jump ACCEPT",
    "iptables -w -t filter -A OUTPUT -p tcp -d 10.1.0.0/16 -j DROP", "iptables -N NEW-ONE",
]  # fmt: skip


def test_changes(rules):
    for command in RULES:
        run(rules, command)
        shell("rules", command)
    for command in CHANGES:
        both(rules, command)
        both(rules, "iptables-save")
        both(rules, "iptables -nL")


def test_a_saved_text_is_restored_alike(rules):
    for command in RULES:
        run(rules, command)
    text = run(rules, "iptables-save")
    _, error = shell("rules", "iptables-restore", stdin=text + "\n")
    assert error == ""
    both(rules, "iptables-save")
    text = "*filter\n:FOO - [0:0]\n-A FOO -j DROP\nCOMMIT\n"
    assert run(rules, "iptables-restore -n", stdin=text) == ""
    assert shell("rules", "iptables-restore -n", stdin=text) == ("", "")
    both(rules, "iptables-save")


def test_nft_lists_a_node_alike(rules):
    """kube-proxy's and flannel's rules, as recorded on a node, restored in both."""
    require_tool("nft")
    text = (Path(__file__).parent / "node1.iptables-save.txt").read_text()
    run(rules, "iptables-restore", stdin=text)
    assert shell("rules", "iptables-restore", stdin=text)[1] == ""
    for command in ("nft list ruleset", "nft list table ip nat", "nft list tables",
                    "nft list chain ip nat KUBE-POSTROUTING"):  # fmt: skip
        assert plain(rules.sh(command)) == plain(shell("rules", command)[0]), command


def test_nft_translates_alike(rules):
    """Each rule that nft is said to translate; chains compared one by one."""
    refused = []
    for command in RULES:
        if command.startswith("iptables -A FOO"):
            try:
                rules.sh("iptables -N TRY; " + command.replace("FOO", "TRY"))
                rules.sh("nft list chain ip filter TRY")
            except BadCommand as error:
                if "translated" not in error.message:
                    raise
                refused.append(command)
                continue
            finally:
                rules.sh("iptables -F TRY; iptables -X TRY")
        both(rules, command)
    for chain in ("filter FOO", "nat EAST", "nat POSTROUTING", "mangle PREROUTING"):
        command = f"nft list chain ip {chain}"
        assert plain(rules.sh(command)) == plain(shell("rules", command)[0])
    assert len(refused) < 4, refused


REFUSED = [
    "iptables -N FOO", "iptables -N ACCEPT", "iptables -N INPUT",
    "iptables -N thisnameisfartoolongforachaininthekernel", "iptables -A NOPE -j ACCEPT",
    "iptables -A INPUT -j NOPE", "iptables -D INPUT -j DROP", "iptables -D INPUT 9",
    "iptables -D INPUT 0", "iptables -I INPUT 9 -j DROP", "iptables -R INPUT 9 -j DROP",
    "iptables -C INPUT -j DROP", "iptables -X INPUT", "iptables -X FOO", "iptables -X NOPE",
    "iptables -F NOPE", "iptables -P NOPE DROP", "iptables -P INPUT NOPE", "iptables -P INPUT REJECT",
    "iptables -P INPUT", "iptables -E NOPE BAR2", "iptables -E FOO INPUT", "iptables -t nope -L",
    "iptables -L -t nat FOO", "iptables", "iptables -Y", "iptables -A", "iptables -N",
    "iptables -A INPUT --dport 80", "iptables -A INPUT -p nope", "iptables -A INPUT -s 300.1.1.1",
    "iptables -A INPUT -p tcp --dport nix", "iptables -A INPUT -p tcp --dport 99999",
    "iptables -A INPUT -j DNAT --to-destination 1.2.3.4", "iptables -t nat -A PREROUTING -j DNAT",
    "iptables -A FOO -j MASQUERADE", "iptables -t nat -A PREROUTING -j REJECT",
    "iptables -t nat -A OUTPUT -j MASQUERADE", "iptables -A INPUT -o eth0",
    "iptables -A OUTPUT -i eth0", "iptables -A FOO -j FOO", "iptables -A INPUT -j ACCEPT -L",
    "iptables -Z NOPE",
]  # fmt: skip


def test_refusals(rules):
    for command in ("iptables -N FOO", "iptables -A INPUT -j FOO", "iptables -A FOO -j DROP"):
        run(rules, command)
        shell("rules", command)
    different = []
    for command in REFUSED:
        with pytest.raises(BadCommand) as caught:
            rules.sh(command)
        said = next(filter(None, map(str.rstrip, shell("rules", command)[1].splitlines())), "")
        if caught.value.message != said:
            different.append((command, caught.value.message, said))
    assert different == []
    both(rules, "iptables-save")


# -- a routed network -----------------------------------------------------------------------------

#: device, namespace, address, MTU; the two of a pair follow each other.
ENDS = [
    ("e0", "client", "10.9.1.2/24", 1500), ("e1", "router", "10.9.1.1/24", 1500),
    ("e2", "router", "10.9.2.1/24", 1400), ("e0", "server", "10.9.2.2/24", 1400),
]  # fmt: skip
#: Answers every TCP connection on port 80 with a line, as the model's servers do.
SERVER = """
import socket
made = socket.socket()
made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
made.bind(("0.0.0.0", 80))
made.listen(8)
print("ready", flush=True)
while True:
    peer, _ = made.accept()
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nI am server.\\n")
    peer.close()
"""
SETTINGS = (
    "net.ipv4.icmp_ratelimit=0 net.ipv6.conf.all.disable_ipv6=1 net.ipv4.icmp_msgs_per_sec=100000"
)


def model_network():
    network = Network()
    for name in ("client", "router", "server"):
        network.add(Netns(name))
    for n, (a, b) in enumerate((ENDS[:2], ENDS[2:])):
        sides = [(network[e[1]], e[0], f"02:00:00:00:0{n}:0{m}") for m, e in enumerate((a, b), 1)]
        network.wire(*sides, mtu=a[3])
    for device, name, address, _ in ENDS:
        network[name].add_address(device, address)
    network["router"].sysctls["net.ipv4.ip_forward"] = 1
    for name, gateway in (("client", "10.9.1.1"), ("server", "10.9.2.1")):
        network[name].sh(f"ip route add default via {gateway}")
    listen(network["server"], Listener("tcp", "0.0.0.0", 80, "server", b"I am server.\n"))
    network["router"].sh("iptables -t nat -A POSTROUTING -o e2 -j MASQUERADE")
    return network


@pytest.fixture
def routed():
    """The routed network in the model; the same stands in the kernel."""
    require_root()
    for tool in ("ip", "iptables", "ping", "traceroute", "curl", "conntrack"):
        require_tool(tool)
    names = ("client", "router", "server")
    server = None
    try:
        for name in names:
            ip("netns", "add", PREFIX + name)
            shell(name, f"sysctl -qw {SETTINGS}; ip link set lo up")
        for a, b in (ENDS[:2], ENDS[2:]):
            pair = [a[0], "netns", PREFIX + a[1], "type", "veth", "peer", "name", b[0]]
            ip("link", "add", *pair, "netns", PREFIX + b[1])
        for device, name, address, mtu in ENDS:
            shell(name, f"ip addr add {address} dev {device}; ip link set {device} mtu {mtu} up")
        shell("client", "ip route add default via 10.9.1.1")
        shell("server", "ip route add default via 10.9.2.1")
        shell("router", "sysctl -qw net.ipv4.ip_forward=1; "
                        "iptables -t nat -A POSTROUTING -o e2 -j MASQUERADE")  # fmt: skip
        server = subprocess.Popen(
            [require_tool("ip"), "netns", "exec", PREFIX + "server", sys.executable, "-c", SERVER],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout.readline() == "ready\n"
        yield model_network()
    finally:
        if server is not None:
            server.kill()
            server.wait(timeout=10)
            server.stdout.close()
        for name in names:
            command = [require_tool("ip"), "netns", "del", PREFIX + name]
            subprocess.run(command, capture_output=True, check=False)


def timeless(text):
    """Milliseconds as 0."""
    text = re.sub(r"\b\d+\.\d+ ms", "0 ms", text)
    text = re.sub(r"= [\d./]+ ms", "= 0 ms", text)
    text = re.sub(r"time (\d+)ms", lambda m: f"time {int(m[1]) // 900}s", text)
    text = re.sub(r"time=[\d.]+ ms", "time=0 ms", text)
    return re.sub(r"after (\d+) (ms|milli)", lambda m: f"after {int(m[1]) // 900} s {m[2]}", text)


PROBES = [
    "ping -c 1 -W 1 10.9.3.3",
    "ping -c 2 -i 0.2 10.9.2.2", "ping -c 1 -n 10.9.1.1", "ping -c1 -q 10.9.2.2",
    "ping -c 1 -s 1400 -M do 10.9.2.2", "ping -c 1 -s 1400 -M do 10.9.2.2",
    "ping -c 1 -s 1600 -M do 10.9.1.1", "ping -c 1 -s 1600 -M dont 10.9.2.2",
    "ping -c 1 -s 1600 10.9.2.2", "ping -c 1 -t 1 10.9.2.2",
    "ping -c 1 -W 0.2 10.9.1.77", "ping -c 1 127.0.0.1",
    "traceroute -n 10.9.2.2", "traceroute 10.9.2.2", "traceroute -n -I -q 2 10.9.2.2",
    "traceroute -n -T -q 1 10.9.2.2", "traceroute -n -T -p 81 -q 1 10.9.2.2",
    "traceroute -n -U -q 1 10.9.2.2", "traceroute -n -f 2 10.9.2.2",
    "traceroute -n -m 2 -q 2 -w 0.3 10.9.1.78", "traceroute -n -m 1 10.9.2.2",
    "curl -sS http://10.9.2.2/", "curl -sS 10.9.2.2", "curl -s http://10.9.2.2:80/x",
    "curl -sS http://10.9.2.2:81/", "curl -s http://10.9.2.2:81/", "curl -sS -m 1 http://10.9.1.79/",
    "curl -sS --connect-timeout 1 http://10.9.1.80/", "ip route del default", "ping -c 1 10.9.2.2",
    "traceroute -n 10.9.2.2", "curl -sS http://10.9.2.2/",
]  # fmt: skip


def test_probes(routed):
    """What a client hears, with a way to the server and without."""
    different = []
    for command in PROBES:
        ours = timeless(plain(routed["client"].sh(command)))
        theirs = timeless(plain(shell("client", f"{command} 2>&1")[0]))
        if ours != theirs:
            different.append(f"{command}\n{ours}\n-- real:\n{theirs}")
    assert not different, "\n\n".join(different)


def entries(text):
    """Entries without what chance and time decide."""
    lines = [line for line in text.splitlines() if "flow entries" not in line]
    lines = [re.sub(r"^((?:ipv4 +2 )?\S+ +\d+) \d+ ", r"\1 TIME ", line) for line in lines]
    lines = [re.sub(r"id=\d+", "id=ID", line) for line in lines]
    return sorted(re.sub(r"\b(3[2-9]|[45]\d)\d{3}\b", "PORT", line) for line in lines)


CONNTRACK = [
    "conntrack -L", "conntrack -L -p tcp", "conntrack -L -p icmp -o extended", "conntrack -C",
    "conntrack -L -s 10.9.1.2", "conntrack -L -d 10.9.2.77", "conntrack -L -p udp --dport 9",
    "conntrack -L -p tcp --state TIME_WAIT", "conntrack -L -p tcp --src-nat", "conntrack -L -p tcp --dst-nat",
    "conntrack -L -u UNREPLIED", "conntrack -D -p icmp", "conntrack -L", "conntrack -D -p icmp",
    "conntrack -F", "conntrack -L", "conntrack -C",
]  # fmt: skip
TALK = "import socket; s=socket.socket(2, 2); s.bind(('', 4000)); s.sendto(b'hi', ('10.9.2.2', 9))"


def test_conntrack(routed):
    from k8snetlib.linux.exchange import send

    shell("router", "conntrack -F")
    for command in ("ping -c 1 10.9.2.2", "curl -s http://10.9.2.2/"):
        routed["client"].sh(command)
        shell("client", command)
    send(routed, routed["client"], "10.9.2.2", 9, sport=4000, payload=b"hi")
    shell("client", f'{sys.executable} -c "{TALK}"')
    for command in CONNTRACK:
        ours = entries(routed["router"].sh(command))
        out, error = shell("router", command)
        assert ours == entries(out), (command, error)
    refused = ("conntrack -X", "conntrack -L -p foo", "conntrack -L -s foo", "conntrack -L --foo")
    for command in refused:
        with pytest.raises(BadCommand) as caught:
            routed["router"].sh(command)
        assert caught.value.message == shell("router", command)[1].splitlines()[0]


# -- tcpdump --------------------------------------------------------------------------------------

WALKS = [
    ("web2", "connect", "backend", {"port": 8080}), ("web2", "connect", "backend", {"port": 81}),
    ("web2", "send", "backend", {"port": 9}), ("web2", "send", "web1", {"proto": "icmp"}),
    ("web2", "send", "backend", {"port": 9, "ttl": 3}),
    ("web2", "send", "backend", {"port": 9, "payload": 3000, "df": False}),
    ("web2", "send", "backend", {"proto": "icmp", "payload": 3000, "df": False}),
    ("web2", "send", "10.1.20.77", {"proto": "icmp"}), ("web2", "send", "8.8.8.8", {"port": 80}),
]  # fmt: skip
DUMPS = ["-n", "-n -e", "", "-e", "-n arp", "-n icmp", "-n tcp and dst port 8080", "-n host 10.1.15.2",
         "-n -c 2", "-n not arp", "-n udp port 9", "-n src 10.1.15.2"]  # fmt: skip


@pytest.mark.parametrize("backend", ["udp", "vxlan", "host-gw"])
def test_tcpdump_reads_the_same_frames(backend, tmp_path):
    tcpdump = require_tool("tcpdump")
    cluster = Cluster.example(backend)
    file = str(tmp_path / "walk.pcap")
    compared, different = 0, []
    for source, how, target, options in WALKS if backend == "udp" else WALKS[:6]:
        exchange = getattr(cluster, how)(source, target, **options)
        for place in ("web2:eth0", "node1:eth0", "node1:flannel0"):
            if not any(f"{f.netns}:{f.device}" == place for f in exchange.capture()):
                continue
            exchange.to_pcap(file, device=place)
            name, device = place.split(":")
            for words in DUMPS if (backend, place) == ("udp", "web2:eth0") else DUMPS[:2]:
                real = subprocess.run(
                    [tcpdump, "-t", "-r", file, *words.split()],
                    capture_output=True, text=True, timeout=20, check=False,
                )  # fmt: skip
                ours = cluster[name].sh(f"tcpdump -t -i {device} {words}")
                theirs = plain(real.stdout)
                compared += 1
                if ours != theirs:
                    what = f"{source} {how} {target} {options}: {place} {words}"
                    different.append(f"{what}\n{ours}\n-- real:\n{theirs}")
    assert not different, "\n\n".join(different)
    assert compared > 20
