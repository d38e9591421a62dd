"""A rule turns the answer back.

finds: 11.reply.undone SNAT_REPLY
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2", "node1"],
        "undone_by": "a rule",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
