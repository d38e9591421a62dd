"""The answer takes the short way.

finds: 11.reply.cluster ASYM
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2"],
        "undone_by": "conntrack",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
