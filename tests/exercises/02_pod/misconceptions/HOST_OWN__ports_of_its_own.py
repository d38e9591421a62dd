"""Such a pod has ports of its own.

finds: 02.host.ports HOST_OWN
"""

# answer: 02.host
host = {
    "address": "192.168.66.11",
    "namespace": "node1",
    "port10250": "nobody",
    "port80": "nobody",
    "port9100": "nobody",
    "local9000": {"outcome": "refused", "socket": "none"},
    "local10250": {"outcome": "delivered", "socket": "0.0.0.0:10250"},
}
