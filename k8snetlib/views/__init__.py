"""What lives here: pictures of a cluster and of a packet's way, and the step player.

* ``draw(cluster)`` draws the cluster, ``draw(exchange)`` a packet's way through it.
* ``play(exchange)`` walks a packet step by step; with ``netns``, through one kernel's boxes.
* ``step_backends(walks)`` steps one packet through several backends at the same time.
* ``step_mtu(clusters)`` is a ruler of payload sizes; ``step_timeline(cluster)`` slides along etcd.
* ``step_bridge(exchange, "node1")`` goes through the frames at a bridge, its FDB, the ARP tables.
* ``step_rules(exchange.request, "node1")`` goes through the rules that a packet met, one by one.
* ``pod_xray(cluster["web1"])`` looks into one network namespace.
* ``packet_flow(exchange.request, "node1")`` shows which boxes of one kernel a packet met.
* ``address_bands(cluster)`` draws the three networks, and who has which address in them.
* ``reachability(cluster)`` sends from every host to every other, and shows who arrived, as whom.
* ``draw_stacks`` and ``draw_mtu`` set side by side how several backends carry the same packet.
* ``chain_map(cluster, "backend-svc", node="node1")`` draws a Service's chains and their counters.
* ``nat_table(exchange, "node1")`` shows tuples before and after; of a cluster, its connections.
* ``entry_matrix(cluster, "backend-svc")`` shows who answers at each node's port, to whom as whom.
* ``race(results)`` sets side by side what a new connection costs in each mode of kube-proxy.
* ``step_race(results, walks)`` runs that race: Service by Service, and rule by rule.
* ``plugin_calls(runtime)`` shows what each ADD and DEL of a CNI plugin answered and changed.
* ``timeline(cluster)`` shows what happened in etcd, and what each flanneld heard of it.
* ``prompt(cluster, "node1")`` is a prompt at the machines; what is typed there changes the cluster.
* ``build(cluster)`` is the cluster builder: add a node, a pod, a Service; see what that makes.

They read an ``Exchange`` (its packets, names and topology), or the cluster or namespace they name.
This room loads neither IPython nor anywidget before a player is shown.
"""

from k8snetlib.views.backend_steps import step_backends
from k8snetlib.views.bands import address_bands
from k8snetlib.views.bridge_steps import step_bridge
from k8snetlib.views.build import Builder, build
from k8snetlib.views.chain_map import chain_map
from k8snetlib.views.entry_matrix import entry_matrix
from k8snetlib.views.etcd_steps import step_timeline
from k8snetlib.views.flow import packet_flow
from k8snetlib.views.matrix import Matrix, reachability
from k8snetlib.views.mtu_steps import step_mtu
from k8snetlib.views.nat_table import nat_table
from k8snetlib.views.picture import Picture, draw
from k8snetlib.views.player import Player, play
from k8snetlib.views.plugin_calls import plugin_calls
from k8snetlib.views.prompt import Prompt, prompt
from k8snetlib.views.race import race
from k8snetlib.views.race_steps import step_race
from k8snetlib.views.rule_steps import step_rules
from k8snetlib.views.stacks import draw_mtu, draw_stacks
from k8snetlib.views.timeline import timeline
from k8snetlib.views.xray import pod_xray

__all__ = [
    "Builder", "Matrix", "Picture", "Player", "Prompt", "address_bands", "build", "chain_map",
    "draw", "draw_mtu", "draw_stacks", "entry_matrix", "nat_table", "packet_flow", "play",
    "plugin_calls", "pod_xray", "prompt", "race", "reachability", "step_backends", "step_bridge",
    "step_mtu", "step_race", "step_rules", "step_timeline", "timeline",
]  # fmt: skip
