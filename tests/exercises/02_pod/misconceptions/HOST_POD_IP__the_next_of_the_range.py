"""Every pod has an address of its node's range.

finds: 02.host.address HOST_POD_IP
"""

# answer: 02.host
host = {
    "address": "10.1.15.4",
    "namespace": "agent",
    "port10250": "kubelet",
    "port80": "nobody",
    "port9100": "agent",
    "local9000": {"outcome": "refused", "socket": "none"},
    "local10250": {"outcome": "delivered", "socket": "0.0.0.0:10250"},
}
