"""The router tells the node that sent it.

finds: 04.stopped.told ICMP_TO_NODE
"""

# answer: 04.stopped
stopped = {
    "node1": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "node1"},
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node2", "told": "node1"},
}
