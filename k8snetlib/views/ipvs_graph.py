"""What lives here: a Service's virtual servers as a graph, read from IPVS's live table.

The graph has the form of ``chain_graph``, so ``chain_map`` draws it: a card for each virtual server
(an address and a port of the Service), with a row for each real server behind it; what is counted
are new connections. No rule is asked: the packet is for this host, and IPVS waits in INPUT.

What may not live here: positions, colours; what a scheduler does (``linux.ipvs``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from k8snetlib.linux.ipvs.table import Ipvs, VirtualServer, with_port
from k8snetlib.views.chain_graph import Line

if TYPE_CHECKING:
    from networkx import DiGraph

#: What each scheduler gives a real server, in few words.
SCHEDULERS: Mapping[str, str] = {
    "rr": "in turn", "wrr": "in turn, by weight", "sh": "by the client's address",
    "mh": "by the client's address", "dh": "by the address called",
    "lc": "fewest connections first", "wlc": "fewest connections, by weight",
}  # fmt: skip


def ipvs_graph(
    ipvs: Ipvs, service: str, addresses: Collection[str], node_ports: Collection[int]
) -> DiGraph[str]:
    """The virtual servers of one Service as a directed graph; empty if it has none.

    Parameters: ``addresses`` are the Service's own, ``node_ports`` its ports on the node's
    addresses.
    """
    from networkx import DiGraph

    graph: DiGraph[str] = DiGraph(service=service)
    for one in ipvs.virtual_servers():
        if one.ip in addresses or one.port in node_ports:
            _add(graph, one, outside=one.ip not in addresses)
    return graph


def _add(graph: DiGraph[str], one: VirtualServer, *, outside: bool) -> None:
    node = f"{one.proto} {with_port(one.ip, one.port)}"
    stays = f", a client stays {one.persistent} s" if one.persistent else ""
    how = SCHEDULERS.get(one.scheduler, one.scheduler)
    chooses = f"Scheduler {one.scheduler}: {how}{stays}"
    sub = f"{'node port' if outside else 'virtual server'}, {one.scheduler}: {how}{stays}"
    graph.add_node(node, kind="chain", name=f"{one.proto.upper()} {with_port(one.ip, one.port)}",
                   table="nat", where="", sub=sub, chooses=chooses, others=0)  # fmt: skip
    if not one.servers:
        goal = f"{one.proto} no real server"
        graph.add_node(goal, kind="verdict", name="REJECT: no real server", table="nat", others=0)
        line = Line(1, "every new connection", None, None, one.counters.conns, str(one))
        graph.add_edge(node, goal, lines=(line,))
    # The newest stands first in the kernel; ipvsadm and kube-proxy's order begin with the oldest.
    for n, server in enumerate(reversed(one.servers), 1):
        real, end = f"{one.proto} real {server}", f"{server} {one.proto}"
        graph.add_node(real, kind="chain", name=str(server), table="nat", where="",
                       sub="real server", share="", others=0)  # fmt: skip
        graph.add_node(end, kind="endpoint", name=str(server), table="nat", how="Masq to", others=0)
        words = f"weight {server.weight}"
        line = Line(n, words, None, None, server.counters.conns, f"-> {server} Masq {words}")
        graph.add_edge(node, real, lines=(line,))
        before = graph.edges[real, end]["lines"][0].packets if graph.has_edge(real, end) else 0
        total = Line(1, "everything", None, None, before + server.counters.conns, f"-> {server}")
        graph.add_edge(real, end, lines=(total,))
