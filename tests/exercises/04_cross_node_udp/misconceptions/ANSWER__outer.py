"""node2 sends to node1.

finds: 04.headers.outer ANSWER
"""

# answer: 04.headers
headers = {
    "ethernet": {"src": "node1:eth0", "dst": "node2:eth0"},
    "outer": {
        "src": "192.168.66.12",
        "dst": "192.168.66.11",
        "sport": 8285,
        "dport": 8285,
        "ttl": 64,
    },
    "inner": {"src": "10.1.15.2", "dst": "10.1.20.3", "sport": 40004, "dport": 8080, "ttl": 62},
    "route": "10.1.0.0/16 dev flannel0",
    "lease": "10.1.20.0/24 -> 192.168.66.12",
}
