"""node1 knows the new MAC address.

finds: 05.faults.entry NEW_MAC_KNOWN
"""

# answer: 05.faults
faults = {
    "new_mac": {
        "nodes": True,
        "pods": False,
        "ends_in": "node2",
        "neighbour": "10.1.20.0 lladdr 0e:f1:0a:01:14:99",
    },
    "blocked": {"nodes": True, "pods": False, "ends_in": "node2"},
    "narrow": {"nodes": True, "pods": True, "large": False, "ends_in": "switch"},
}
