"""The node's localhost reaches the node's pods.

finds: 02.host.localhost LOCALHOST_POD
"""

# answer: 02.host
host = {
    "address": "192.168.66.11",
    "namespace": "node1",
    "port10250": "kubelet",
    "port80": "nobody",
    "port9100": "agent",
    "local9000": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "local10250": {"outcome": "delivered", "socket": "0.0.0.0:10250"},
}
