"""What lives here: what a repair must leave alone: everything that was right before.

``state`` lists what of a cluster can be right or wrong by itself: daemons and their command lines,
rules in the kernel's own chains and these chains' policies, switches, objects of the API. Chains
that flanneld and kube-proxy write are their business.
"""

from __future__ import annotations

from k8snetlib.cluster import Cluster
from k8snetlib.flannel.link import NET_CONF
from k8snetlib.flannel.options import DEFAULTS
from k8snetlib.kube.api import Pod, Service, Workload
from k8snetlib.kube.apiserver import api_server
from k8snetlib.kube.cni.host_local import DATA_DIR
from k8snetlib.kube.controllers import owns
from k8snetlib.kube.proxy.daemon import CONFIG

#: The files that decide something, as far as they are the same in every cluster.
FILES = (DEFAULTS, NET_CONF, CONFIG)
_BUILT_IN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")

#: (what it is, where, which) -> how it is.
State = dict[tuple[str, str, str], object]


def state(cluster: Cluster) -> State:
    """Everything that can be right by itself."""
    found: State = {}
    api = api_server(cluster.network)
    workloads = api.list(Workload)
    pods = api.list(Pod)
    passing = {pod.name for pod in pods if any(owns(one, pod) for one in workloads)}
    for ns in cluster.network.netns.values():
        if ns.name in passing:
            continue  # one pod goes, another comes
        for key, value in ns.sysctls.items():
            found["switch", ns.name, key] = value
        for unit, service in ns.services.items():
            found["daemon", ns.name, unit] = service.running
        for path in FILES:
            if path in ns.files:
                found["file", ns.name, path] = ns.files[path].replace('"', "").split()
        for table, chains in ns.ruleset.tables.items():
            for name in _BUILT_IN:
                if name in chains:
                    found["policy", ns.name, f"{table} {name}"] = chains[name].policy
                    for rule in chains[name].rules:
                        found["rule", ns.name, f"{table}: -A {name} {rule}"] = True
    for one in api.list(Service):
        found["Service", one.namespace, one.name] = one
    for workload in workloads:
        found["workload", workload.namespace, workload.name] = workload
    for pod in pods:
        if pod.node in cluster.network.netns and pod.name not in passing:
            files = cluster[pod.node].files
            held = [path for path in files if path.startswith(f"{DATA_DIR}/")]
            if any(path.endswith(f"/{pod.ip}") for path in held):
                # Who takes this away lets another pod have the address as well.
                found["file", pod.node, f"the file of {pod.name}'s address"] = True
        if pod.name not in passing:
            found["pod", pod.namespace, pod.name] = (pod.labels, pod.node)
    return found


def lost(whole: State, broken: State, repaired: State) -> list[tuple[str, str, str]]:
    """What was right in the broken cluster, and is not any more."""
    return [
        key
        for key, value in whole.items()
        if broken.get(key) == value and repaired.get(key) != value
    ]
