"""The owner of the range gets every packet.

finds: 12.twins.near NEAREST
"""

# answer: 12.twins
twins = {
    "from_node1": "web2",
    "from_node2": "web2",
    "from_node3": "web2",
    "route_node3": "10.1.15.0/24 via 192.168.66.11 dev eth0",
    "noticed_by": "nobody",
}
