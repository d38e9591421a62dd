"""All pods of the node share its ports.

finds: 02.host.ports NODE_PORTS
"""

# answer: 02.host
host = {
    "address": "192.168.66.11",
    "namespace": "node1",
    "port10250": "kubelet",
    "port80": "web",
    "port9100": "agent",
    "local9000": {"outcome": "refused", "socket": "none"},
    "local10250": {"outcome": "delivered", "socket": "0.0.0.0:10250"},
}
