"""A pod's 127.0.0.1 is the pod's alone.

finds: 02.host.localhost OWN_LOOPBACK
"""

# answer: 02.host
host = {
    "address": "192.168.66.11",
    "namespace": "node1",
    "port10250": "kubelet",
    "port80": "nobody",
    "port9100": "agent",
    "local9000": {"outcome": "refused", "socket": "none"},
    "local10250": {"outcome": "refused", "socket": "none"},
}
