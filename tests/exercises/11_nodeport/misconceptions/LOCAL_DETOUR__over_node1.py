"""The answer goes by node1.

finds: 11.reply.local LOCAL_DETOUR
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2", "node1"],
        "undone_by": "conntrack",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "192.168.66.11", "nodes": ["node2", "node1"]},
}
