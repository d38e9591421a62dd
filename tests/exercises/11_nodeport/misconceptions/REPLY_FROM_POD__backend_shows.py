"""ext sees who really answers.

finds: 11.reply.undone REPLY_FROM_POD
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2", "node1"],
        "undone_by": "conntrack",
        "ext_sees": "10.1.20.3",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
