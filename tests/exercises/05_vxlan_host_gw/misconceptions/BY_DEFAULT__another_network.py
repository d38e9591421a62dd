"""10.1.15.0 is another network than node3's.

finds: 05.headers.route BY_DEFAULT
"""

# answer: 05.headers
headers = {
    "ethernet": {"src": "node3:eth0", "dst": "node1:eth0"},
    "outer": {"src": "192.168.66.13", "dst": "192.168.66.11", "dport": 8472},
    "inner_ethernet": {"src": "node3:flannel.1", "dst": "node1:flannel.1"},
    "ttl": {"outer": 64, "inner": 63},
    "route": "default via 192.168.66.1 dev eth0",
    "neighbour": "10.1.15.0 lladdr node1:flannel.1",
    "fdb": "node1:flannel.1 dst 192.168.66.11",
}
