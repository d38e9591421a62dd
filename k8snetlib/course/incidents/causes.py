"""What lives here: what can be wrong in a cluster, in plain words, by the id that is answered.

A learner chooses from one of the lists below; several incidents share a list, so that it gives
nothing away.
"""

from __future__ import annotations

from collections.abc import Mapping

CAUSES: Mapping[str, str] = {
    "asymmetric-reply": "answers go back past the node that translated the request",
    "bridge-nf-off": "a node's bridged packets pass no iptables rules (bridge-nf-call-iptables)",
    "cidr-mismatch": "Kubernetes and flannel disagree on the pods' network",
    "conntrack-full": "a node's connection table is full",
    "cut-from-etcd": "a node has not reached etcd for more than a day",
    "docker-masquerade": "Docker's own masquerade rule is on beside flannel's",
    "etcd-down": "etcd is down",
    "flanneld-stopped": "flanneld does not run on a node",
    "forward-drop": "nodes forward nothing: FORWARD drops, and flannel's own rules are off",
    "forwarding-off": "a node does not forward packets (ip_forward)",
    "hairpin-off": "a bridge port sends no frame back to where it came from (hairpin)",
    "kube-proxy-stopped": "kube-proxy does not run on a node",
    "leaked-addresses": "the CNI plugin's list of used addresses holds pods that are gone",
    "lease-lost": "a node's lease is another range than its bridge has",
    "localhost-node-port": "kube-proxy's mode serves no node ports on 127.0.0.1",
    "loopback-bound": "the program listens on 127.0.0.1 only",
    "mtu-black-hole": "a link between the nodes carries less than their MTU, and says nothing",
    "no-endpoints-ready": "the pods behind the Service are not ready",
    "no-masquerade": "nothing masquerades packets that leave the cluster",
    "no-route": "a node has no route to the others' pods",
    "one-docker0-range": "two nodes give their pods addresses of one range",
    "one-public-ip": "all nodes announce one and the same public address",
    "overlay-port-blocked": "a firewall blocks the overlay's UDP port between the nodes",
    "pod-mask": "a pod's network mask is too wide",
    "policy-local": "the Service only takes outside traffic where it has a pod (policy Local)",
    "rp-filter": "a node drops packets that come in by another way than the answer would take",
    "selector": "the Service selects no pods: its labels do not fit",
    "stale-route": "a node keeps a route to a machine that is gone",
    "stale-udp": "a node remembers a UDP flow to a pod that is gone",
    "subnet-env-missing": "flannel's subnet.env is missing on a node",
    "target-port": "the Service sends to a port on which the pods do not listen",
    "vtep-mac": "a node's VXLAN device has another MAC address than the others know",
    "wrong-interface": "flanneld uses an interface that the other nodes cannot reach",
    "wrong-snat": "a left-over rule gives outgoing packets another source address",
}

#: For incidents between pods: on one node and across nodes.
PATH = (
    "cidr-mismatch", "etcd-down", "flanneld-stopped", "forward-drop", "forwarding-off",
    "lease-lost", "loopback-bound", "mtu-black-hole", "no-route", "one-docker0-range",
    "one-public-ip", "overlay-port-blocked", "pod-mask", "rp-filter", "stale-route", "vtep-mac",
    "wrong-interface", "cut-from-etcd", "subnet-env-missing", "leaked-addresses",
)  # fmt: skip
#: For incidents at Services, names and node ports.
SERVICE = (
    "asymmetric-reply", "bridge-nf-off", "conntrack-full", "forward-drop", "hairpin-off",
    "kube-proxy-stopped", "localhost-node-port", "loopback-bound", "no-endpoints-ready",
    "overlay-port-blocked", "policy-local", "selector", "stale-udp", "target-port",
)  # fmt: skip
#: For incidents on the way out of the cluster.
OUT = (
    "conntrack-full", "docker-masquerade", "forward-drop", "forwarding-off", "kube-proxy-stopped",
    "no-masquerade", "no-route", "policy-local", "rp-filter", "wrong-snat",
)  # fmt: skip
