"""The tunnel goes from flannel.1 to flannel.1.

finds: 05.headers.outer OVERLAY_OUTER
"""

# answer: 05.headers
headers = {
    "ethernet": {"src": "node3:eth0", "dst": "node1:eth0"},
    "outer": {"src": "10.1.30.0", "dst": "10.1.15.0", "dport": 8472},
    "inner_ethernet": {"src": "node3:flannel.1", "dst": "node1:flannel.1"},
    "ttl": {"outer": 64, "inner": 63},
    "route": "10.1.15.0/24 via 10.1.15.0 dev flannel.1 onlink",
    "neighbour": "10.1.15.0 lladdr node1:flannel.1",
    "fdb": "node1:flannel.1 dst 192.168.66.11",
}
