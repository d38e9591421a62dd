"""``tee`` and ``sed``: files are written and changed, and daemons read them when they start."""

from __future__ import annotations

import pytest

from k8snetlib import Cluster
from k8snetlib.errors import BadCommand
from k8snetlib.linux.netns import Netns

FILE = "/etc/x"


@pytest.fixture
def ns():
    made = Netns("node1", "node")
    made.files[FILE] = "a=1 a=2\nb=a\n"
    return made


@pytest.mark.parametrize(
    ("command", "printed", "after"),
    [
        ("tee /etc/x <<EOF\nnew\nEOF", "new", "new\n"),
        ("tee -a /etc/x <<EOF\nnew\nEOF", "new", "a=1 a=2\nb=a\nnew\n"),
        ("sed -i s/a/c/ /etc/x", "", "c=1 a=2\nb=c\n"),
        ("sed -i 's/a/c/g' /etc/x", "", "c=1 c=2\nb=c\n"),
        ("sed -i 's|a=1|/x/|' /etc/x", "", "/x/ a=2\nb=a\n"),
        ("sed -i 's/^a.*$/gone/' etc/x", "", "gone\nb=a\n"),
        ("sed -i 's/(1|2)+/no/' /etc/x", "", "a=1 a=2\nb=a\n"),
        ("sed 's/b=a/b=/' /etc/x", "a=1 a=2\nb=", "a=1 a=2\nb=a\n"),
        ("sed -i 's/a/b/; s/b=a/c/' /etc/x", "", "b=1 a=2\nb=b\n"),
        ("sed -i 's/1/;/;s/2/\\//' /etc/x", "", "a=; a=/\nb=a\n"),
        ("sed -i -e s/a/c/ -e s/b/d/ /etc/x", "", "c=1 a=2\nd=c\n"),
        ("sed -i '/^b/d' /etc/x", "", "a=1 a=2\n"),
        ("sed -i 's/b/x/;/^b/d' /etc/x", "", "a=1 a=2\nx=a\n"),
    ],
    ids=[
        "tee",
        "tee -a",
        "once a line",
        "g",
        "other mark",
        "anchors",
        "basic regex",
        "no -i",
        "two",
        "marks in the text",
        "-e",
        "d",
        "d after s",
    ],
)
def test_a_file_is_written(ns, command, printed, after):
    assert ns.sh(command) == printed
    assert ns.files[FILE] == after


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sed -i s/a/b/ /etc/y", "sed: can't read /etc/y: No such file or directory"),
        ("sed -i s/a/b/", "sed: no input files"),
        ("sed -i y/a/b/ /etc/x", "sed: 'y/a/b/' is not modelled."),
        ("sed -i s/a/b /etc/x", "sed: 's/a/b' is not modelled."),
        ("sed -i 's/a/b/ s/c/d/' /etc/x", "sed: 's/a/b/ s/c/d/' is not modelled."),
        ("sed -i s /etc/x", "sed: 's' is not modelled."),
        ("sed -n s/a/b/ /etc/x", "sed: '-n' is not modelled."),
        (r"sed -i 's/\(a\)/\1/' /etc/x", "sed: groups are not modelled."),
        ("sed -i 's/[a/b/' /etc/x", "sed: '[a' is no regular expression here."),
        ("tee -x /etc/x", "tee: '-x' is not modelled."),
        ("tee", "tee: there is no file to write to."),
    ],
)
def test_what_is_refused(ns, command, said):
    before = dict(ns.files)
    with pytest.raises(BadCommand) as caught:
        ns.sh(command)
    assert caught.value.message == said
    assert ns.files == before


def test_flanneld_reads_its_command_line_when_it_starts():
    node = (cluster := Cluster.example("vxlan"))["node1"]
    chain = '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG'
    node.sh("sed -i 's/--ip-masq/--iptables-forward-rules=false/' /etc/default/flanneld")
    assert cluster.flanneld("node1").options.ip_masq, "not yet"
    node.sh("systemctl restart flanneld")
    options = cluster.flanneld("node1").options
    assert (options.ip_masq, options.forward_rules) == (False, False)
    assert chain in node.sh("iptables -t nat -S POSTROUTING"), "what it wrote before stays"
    cluster.restart_flanneld("node1", "--ip-masq")
    assert node.sh("cat /etc/default/flanneld") == 'FLANNELD_OPTIONS="--ip-masq"'


def test_a_wrong_command_line_ends_flanneld():
    node = Cluster.example()["node1"]
    node.sh("tee /etc/default/flanneld <<EOF\nFLANNELD_OPTIONS=--ip-mask\nEOF")
    node.sh("systemctl restart flanneld")
    assert node.sh("systemctl is-active flanneld") == "activating"
    assert "flag provided but not defined: -ip-mask" in node.sh("journalctl -u flanneld -n 3")


def test_flannels_configmap_is_read_when_flanneld_starts():
    cluster = Cluster.example("vxlan", flanneld="--ip-masq --kube-subnet-mgr")
    node = cluster["node1"]
    node.sh("sed -i s/10.1.0.0/10.2.0.0/ /etc/kube-flannel/net-conf.json")
    node.sh("systemctl restart flanneld")
    assert "doesn't contain" in node.sh("journalctl -u flanneld")


@pytest.mark.parametrize("mode", ["nftables", "ipvs"])
def test_kube_proxy_reads_its_mode_when_it_starts(mode):
    cluster = Cluster.example()
    node = cluster["node1"]
    node.sh(f"sed -i s/iptables/{mode}/ /var/lib/kube-proxy/config.conf")
    assert cluster.kube_proxy("node1").mode == "iptables", "not yet"
    node.sh("systemctl restart kube-proxy")
    assert cluster.kube_proxy("node1").mode == mode
    assert f"Using {mode} Proxier" in node.sh("journalctl -u kube-proxy")
    cluster.kube_proxy("node1").switch("iptables")
    assert "mode: iptables" in node.sh("cat /var/lib/kube-proxy/config.conf")


def test_a_mode_that_is_not_there_ends_kube_proxy():
    node = Cluster.example()["node1"]
    node.sh("sed -i s/iptables/ebpf/ /var/lib/kube-proxy/config.conf")
    node.sh("systemctl restart kube-proxy")
    assert node.sh("systemctl is-active kube-proxy") == "failed"
