"""The nodes ping each other, so every overlay works.

finds: 05.faults.small OVERLAY_FW
"""

# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": True,
        "pods": True,
        "ends_in": "node2",
        "neighbour": "10.1.20.0 lladdr 0e:f1:0a:01:14:00",
    },
    "blocked": {"nodes": True, "pods": True, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}
