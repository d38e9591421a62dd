"""kube-proxy turns the answer's addresses back.

finds: 11.reply.undone PROXY_DATA
"""

# answer: 11.reply
reply = {
    "cluster": {
        "sent_to": "192.168.66.11",
        "nodes": ["node2", "node1"],
        "undone_by": "kube-proxy",
        "ext_sees": "192.168.66.11",
    },
    "local": {"sent_to": "203.0.113.10", "nodes": ["node2"]},
}
