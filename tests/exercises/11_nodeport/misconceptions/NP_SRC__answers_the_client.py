"""backend answers the client.

finds: 11.reply.cluster NP_SRC
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "203.0.113.10",
        "nodes": ["node2"],
        "undone_by": "conntrack",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
