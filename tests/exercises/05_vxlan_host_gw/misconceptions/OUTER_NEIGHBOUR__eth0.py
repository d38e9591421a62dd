"""node1's neighbour is node2.

finds: 05.faults.entry OUTER_NEIGHBOUR
"""

# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": True,
        "pods": False,
        "ends_in": "node2",
        "neighbour": "192.168.66.12 lladdr 02:66:c0:a8:42:0c",
    },
    "blocked": {"nodes": True, "pods": False, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}
