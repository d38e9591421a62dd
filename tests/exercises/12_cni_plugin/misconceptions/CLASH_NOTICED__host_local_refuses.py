"""host-local notices the clash.

finds: 12.twins.noticed CLASH_NOTICED
"""

# answer: 12.twins
twins = {
    "from_node1": "web2",
    "from_node2": "backend",
    "from_node3": "web2",
    "route_node3": "10.1.15.0/24 via 192.168.66.11 dev eth0",
    "noticed_by": "host-local",
}
