"""10.1.20.0 is another network than node1's.

finds: 04.headers.route BY_DEFAULT
"""

# answer: 04.headers
headers = {
    "ethernet": {"src": "node1:eth0", "dst": "node2:eth0"},
    "outer": {
        "src": "192.168.66.11",
        "dst": "192.168.66.12",
        "sport": 8285,
        "dport": 8285,
        "ttl": 64,
    },
    "inner": {"src": "10.1.15.2", "dst": "10.1.20.3", "sport": 40004, "dport": 8080, "ttl": 62},
    "route": "default via 192.168.66.1 dev eth0",
    "lease": "10.1.20.0/24 -> 192.168.66.12",
}
