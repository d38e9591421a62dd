"""The tunnel goes from flannel0 to flannel0.

finds: 04.headers.outer OVERLAY_TARGET
"""

# answer: 04.headers
headers = {
    "ethernet": {"src": "node1:eth0", "dst": "node2:eth0"},
    "outer": {"src": "10.1.15.0", "dst": "10.1.20.0", "sport": 8285, "dport": 8285, "ttl": 64},
    "inner": {"src": "10.1.15.2", "dst": "10.1.20.3", "sport": 40004, "dport": 8080, "ttl": 62},
    "route": "10.1.0.0/16 dev flannel0",
    "lease": "10.1.20.0/24 -> 192.168.66.12",
}
