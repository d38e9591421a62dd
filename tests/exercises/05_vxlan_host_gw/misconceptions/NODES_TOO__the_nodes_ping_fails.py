"""The nodes' own ping is wrapped, too.

finds: 05.faults.small NODES_TOO
"""

# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": False,
        "pods": False,
        "ends_in": "node2",
        "neighbour": "10.1.20.0 lladdr 0e:f1:0a:01:14:00",
    },
    "blocked": {"nodes": False, "pods": False, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}
