"""node2 has put its own address in.

finds: 11.reply.cluster TARGET_LB
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.12",
        "nodes": ["node2", "node1"],
        "undone_by": "conntrack",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
