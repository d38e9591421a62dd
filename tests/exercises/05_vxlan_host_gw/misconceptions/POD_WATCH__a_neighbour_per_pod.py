"""backend is the neighbour.

finds: 05.faults.entry POD_WATCH
"""

# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": True,
        "pods": False,
        "ends_in": "node2",
        "neighbour": "10.1.20.3 lladdr 0e:f1:0a:01:14:00",
    },
    "blocked": {"nodes": True, "pods": False, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}
